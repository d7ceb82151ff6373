-- drover: revision 0006
-- drover: parents 0005
-- drover: message Require a content type
--
-- Third step. SET NOT NULL alone reads the whole table while nobody may touch it. So PostgreSQL
-- first gets a check that binds new rows only, then reads the old rows with everybody at work, and
-- then believes the proven check instead of reading again. SQLite cannot alter a column: the table
-- is built anew beside the old one. The engine keeps foreign keys off meanwhile; with them on,
-- DROP TABLE would delete every extraction result along with the old table.

-- drover: up postgres
ALTER TABLE files ADD CONSTRAINT files_content_type_present
  CHECK (content_type IS NOT NULL) NOT VALID;

-- drover: up postgres no-transaction
ALTER TABLE files VALIDATE CONSTRAINT files_content_type_present;

-- drover: up postgres
ALTER TABLE files ALTER COLUMN content_type SET NOT NULL;
ALTER TABLE files DROP CONSTRAINT files_content_type_present;

-- drover: up sqlite
-- coalesce: programs that do not know the column have written rows since 0005.
CREATE TABLE files_new (
  id integer PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  tenant_code text NOT NULL,
  original_filename text NOT NULL,
  file_path text NOT NULL,
  file_size bigint NOT NULL CHECK (file_size >= 0),
  file_hash text,
  status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
  uploaded_at text NOT NULL DEFAULT CURRENT_TIMESTAMP,
  content_type text NOT NULL DEFAULT 'application/octet-stream'
);
INSERT INTO files_new (id, tenant_id, tenant_code, original_filename, file_path, file_size,
                       file_hash, status, uploaded_at, content_type)
SELECT id, tenant_id, tenant_code, original_filename, file_path, file_size,
       file_hash, status, uploaded_at, coalesce(content_type, 'application/octet-stream')
  FROM files;
DROP TABLE files;
ALTER TABLE files_new RENAME TO files;
CREATE INDEX files_tenant_id ON files (tenant_id);
CREATE INDEX files_tenant_code ON files (tenant_code);
CREATE INDEX files_file_hash ON files (file_hash);
CREATE INDEX files_status ON files (status);
CREATE INDEX files_uploaded_at ON files (uploaded_at);

-- drover: down postgres
ALTER TABLE files ALTER COLUMN content_type DROP NOT NULL;

-- drover: down sqlite
CREATE TABLE files_new (
  id integer PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  tenant_code text NOT NULL,
  original_filename text NOT NULL,
  file_path text NOT NULL,
  file_size bigint NOT NULL CHECK (file_size >= 0),
  file_hash text,
  status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
  uploaded_at text NOT NULL DEFAULT CURRENT_TIMESTAMP,
  content_type text
);
INSERT INTO files_new (id, tenant_id, tenant_code, original_filename, file_path, file_size,
                       file_hash, status, uploaded_at, content_type)
SELECT id, tenant_id, tenant_code, original_filename, file_path, file_size,
       file_hash, status, uploaded_at, content_type
  FROM files;
DROP TABLE files;
ALTER TABLE files_new RENAME TO files;
CREATE INDEX files_tenant_id ON files (tenant_id);
CREATE INDEX files_tenant_code ON files (tenant_code);
CREATE INDEX files_file_hash ON files (file_hash);
CREATE INDEX files_status ON files (status);
CREATE INDEX files_uploaded_at ON files (uploaded_at);
