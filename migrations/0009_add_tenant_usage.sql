-- drover: revision 0009
-- drover: parents 0008
-- drover: message Show what each tenant stores
-- drover: labels reports
--
-- Support wants to see who nears a limit without knowing our tables. 0010 was written at the same
-- time by others; both follow 0008, and 0011 joins them.

-- drover: up
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

-- drover: down
DROP VIEW tenant_usage;
