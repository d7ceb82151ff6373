-- drover: revision 0013
-- drover: parents 0012
-- drover: message Find quarantined files quickly
-- drover: labels security
--
-- A few files among millions: an index of just those stays small enough to look into all day.
-- It uses the value that 0008 adds, which PostgreSQL allows only after 0008 was committed.

-- drover: up postgres no-transaction
CREATE INDEX CONCURRENTLY files_quarantined ON files (tenant_id) WHERE status = 'quarantined';

-- drover: up sqlite
CREATE INDEX files_quarantined ON files (tenant_id) WHERE status = 'quarantined';

-- drover: down postgres no-transaction
DROP INDEX CONCURRENTLY files_quarantined;

-- drover: down sqlite
DROP INDEX files_quarantined;
