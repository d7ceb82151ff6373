-- drover: revision 0016
-- drover: parents 0014, 0015
-- drover: message Merge billing and retention
--
-- As 0011: one head again.

-- drover: up
-- Nothing to do.

-- drover: down
-- Nothing to undo.
