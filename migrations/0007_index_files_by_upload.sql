-- drover: revision 0007
-- drover: parents 0006
-- drover: message List the newest files of a tenant quickly
--
-- The first page of the web interface sorted all files of a tenant. CONCURRENTLY lets uploads go
-- on while the index is built; it cannot run inside a transaction, which its section says.

-- drover: up postgres no-transaction
CREATE INDEX CONCURRENTLY files_tenant_uploaded ON files (tenant_id, uploaded_at DESC);

-- drover: up sqlite
CREATE INDEX files_tenant_uploaded ON files (tenant_id, uploaded_at DESC);

-- drover: down postgres no-transaction
DROP INDEX CONCURRENTLY files_tenant_uploaded;

-- drover: down sqlite
DROP INDEX files_tenant_uploaded;
