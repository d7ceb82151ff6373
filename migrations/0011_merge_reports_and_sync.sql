-- drover: revision 0011
-- drover: parents 0009, 0010
-- drover: message Merge reports and sync
--
-- Joins two lines of work that do not touch each other. It changes nothing; it only makes the
-- history end in one place again, so that "head" means something.

-- drover: up
-- Nothing to do.

-- drover: down
-- Nothing to undo.
