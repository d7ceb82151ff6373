-- drover: revision 0019
-- drover: parents 0018
-- drover: message Allow limits beyond two thousand million files
-- drover: set lock_timeout=3s
--
-- PostgreSQL rewrites the table for it, which is quick for one row per tenant. It does not change a
-- column that a view shows, so the view steps aside. Integers of SQLite are wide enough as they are.

-- drover: up postgres
DROP VIEW tenant_usage;
ALTER TABLE tenants ALTER COLUMN file_count_limit TYPE bigint;
CREATE VIEW tenant_usage AS
SELECT t.id AS tenant_id,
       t.code AS tenant_code,
       count(f.id) AS file_count,
       t.file_count_limit,
       coalesce(sum(f.file_size), 0) AS stored_bytes,
       t.storage_quota_bytes
  FROM tenants t
  LEFT JOIN files f ON f.tenant_id = t.id
 GROUP BY t.id, t.code, t.file_count_limit, t.storage_quota_bytes;

-- drover: up sqlite
-- Nothing to do.

-- drover: down postgres
-- Fails, and changes nothing, where a tenant was given a limit that no longer fits.
DROP VIEW tenant_usage;
ALTER TABLE tenants ALTER COLUMN file_count_limit TYPE integer;
CREATE VIEW tenant_usage AS
SELECT t.id AS tenant_id,
       t.code AS tenant_code,
       count(f.id) AS file_count,
       t.file_count_limit,
       coalesce(sum(f.file_size), 0) AS stored_bytes,
       t.storage_quota_bytes
  FROM tenants t
  LEFT JOIN files f ON f.tenant_id = t.id
 GROUP BY t.id, t.code, t.file_count_limit, t.storage_quota_bytes;

-- drover: down sqlite
-- Nothing to undo.
