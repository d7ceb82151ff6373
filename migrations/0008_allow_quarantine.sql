-- drover: revision 0008
-- drover: parents 0007
-- drover: message Allow files to be quarantined
--
-- The virus scanner needs a status of its own. PostgreSQL adds a value to the type and touches no
-- row; SQLite holds the list in a check, so its table is built anew.
-- PostgreSQL cannot take a value away again: going down makes the old type anew, which rewrites the
-- table. A quarantined file becomes a failed one, as the scanner reported it before.

-- drover: up postgres
ALTER TYPE file_status ADD VALUE 'quarantined' BEFORE 'failed';

-- drover: up sqlite
CREATE TABLE files_new (
  id integer PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  tenant_code text NOT NULL,
  original_filename text NOT NULL,
  file_path text NOT NULL,
  file_size bigint NOT NULL CHECK (file_size >= 0),
  file_hash text,
  status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'processing', 'completed', 'quarantined', 'failed')),
  uploaded_at text NOT NULL DEFAULT CURRENT_TIMESTAMP,
  content_type text NOT NULL DEFAULT 'application/octet-stream'
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
CREATE INDEX files_tenant_uploaded ON files (tenant_id, uploaded_at DESC);

-- drover: down postgres
UPDATE files SET status = 'failed' WHERE status = 'quarantined';
ALTER TYPE file_status RENAME TO file_status_with_quarantine;
CREATE TYPE file_status AS ENUM ('pending', 'processing', 'completed', 'failed');
ALTER TABLE files
  ALTER COLUMN status DROP DEFAULT,
  ALTER COLUMN status TYPE file_status USING status::text::file_status,
  ALTER COLUMN status SET DEFAULT 'pending';
DROP TYPE file_status_with_quarantine;

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
  content_type text NOT NULL DEFAULT 'application/octet-stream'
);
INSERT INTO files_new (id, tenant_id, tenant_code, original_filename, file_path, file_size,
                       file_hash, status, uploaded_at, content_type)
SELECT id, tenant_id, tenant_code, original_filename, file_path, file_size,
       file_hash, CASE status WHEN 'quarantined' THEN 'failed' ELSE status END, uploaded_at, content_type
  FROM files;
DROP TABLE files;
ALTER TABLE files_new RENAME TO files;
CREATE INDEX files_tenant_id ON files (tenant_id);
CREATE INDEX files_tenant_code ON files (tenant_code);
CREATE INDEX files_file_hash ON files (file_hash);
CREATE INDEX files_status ON files (status);
CREATE INDEX files_uploaded_at ON files (uploaded_at);
CREATE INDEX files_tenant_uploaded ON files (tenant_id, uploaded_at DESC);
