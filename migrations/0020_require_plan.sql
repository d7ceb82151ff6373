-- drover: revision 0020
-- drover: parents 0019
-- drover: message Give every tenant a plan
--
-- Contracts are changed: whoever has no plan is on the free one. Few rows, so PostgreSQL needs none
-- of the care of 0006. In SQLite the table at the root of all foreign keys is built anew, and the
-- view, which would name a missing table for a moment, steps aside.

-- drover: up
UPDATE tenants SET plan_code = 'free' WHERE plan_code IS NULL;

-- drover: verify
SELECT count(*) = 0 FROM tenants WHERE plan_code IS NULL;

-- drover: up postgres
ALTER TABLE tenants
  ALTER COLUMN plan_code SET DEFAULT 'free',
  ALTER COLUMN plan_code SET NOT NULL;

-- drover: up sqlite
DROP VIEW tenant_usage;
CREATE TABLE tenants_new (
  id integer PRIMARY KEY,
  code text NOT NULL,
  name text NOT NULL,
  is_active boolean NOT NULL DEFAULT true,
  storage_quota_bytes bigint,
  file_count_limit integer,
  created_at text NOT NULL DEFAULT CURRENT_TIMESTAMP,
  plan_code text NOT NULL DEFAULT 'free' REFERENCES plans (code)
);
INSERT INTO tenants_new (id, code, name, is_active, storage_quota_bytes, file_count_limit,
                         created_at, plan_code)
SELECT id, code, name, is_active, storage_quota_bytes, file_count_limit,
       created_at, plan_code
  FROM tenants;
DROP TABLE tenants;
ALTER TABLE tenants_new RENAME TO tenants;
CREATE UNIQUE INDEX tenants_code ON tenants (code);
CREATE INDEX tenants_is_active ON tenants (is_active);
CREATE INDEX tenants_created_at ON tenants (created_at);
CREATE INDEX tenants_plan_code ON tenants (plan_code);
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

-- drover: down postgres
ALTER TABLE tenants
  ALTER COLUMN plan_code DROP NOT NULL,
  ALTER COLUMN plan_code DROP DEFAULT;

-- drover: down sqlite
DROP VIEW tenant_usage;
CREATE TABLE tenants_new (
  id integer PRIMARY KEY,
  code text NOT NULL,
  name text NOT NULL,
  is_active boolean NOT NULL DEFAULT true,
  storage_quota_bytes bigint,
  file_count_limit integer,
  created_at text NOT NULL DEFAULT CURRENT_TIMESTAMP,
  plan_code text REFERENCES plans (code)
);
INSERT INTO tenants_new (id, code, name, is_active, storage_quota_bytes, file_count_limit,
                         created_at, plan_code)
SELECT id, code, name, is_active, storage_quota_bytes, file_count_limit,
       created_at, plan_code
  FROM tenants;
DROP TABLE tenants;
ALTER TABLE tenants_new RENAME TO tenants;
CREATE UNIQUE INDEX tenants_code ON tenants (code);
CREATE INDEX tenants_is_active ON tenants (is_active);
CREATE INDEX tenants_created_at ON tenants (created_at);
CREATE INDEX tenants_plan_code ON tenants (plan_code);
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
