/// Every form of statement whose locks are known, with what must be said of it. The suite `parse`
/// compares the words; the suite `postgres` runs what can be run in a transaction, on the tables of
/// kLockTables, and compares with what the server locks.

#pragma once

#include <string_view>

namespace drover::engine::parse {

/// What the statements below work on. Tables have rows; those that are touched have no foreign
/// keys but the ones that a form is about.
inline constexpr std::string_view kLockTables = R"(
CREATE TABLE tenants (id integer PRIMARY KEY, code text UNIQUE);
CREATE TABLE files (id integer PRIMARY KEY, tenant_id integer, name text, size integer DEFAULT 0,
  old text, kind varchar(10) NOT NULL, doubled integer GENERATED ALWAYS AS (size * 2) STORED,
  seq bigint GENERATED ALWAYS AS IDENTITY, plain bigint NOT NULL);
CREATE INDEX files_name ON files (name);
CREATE INDEX files_kind ON files (kind);
CREATE UNIQUE INDEX files_key ON files (id);
ALTER TABLE files ADD CONSTRAINT files_size CHECK (size >= 0) NOT VALID;
CREATE TABLE folders (id integer, parent integer, path text);
CREATE UNIQUE INDEX folders_id ON folders (id);
CREATE TABLE shares (id integer, tenant_id integer);
INSERT INTO tenants SELECT i, 't' || i FROM generate_series(1, 50) i;
INSERT INTO files (id, tenant_id, name, kind, plain)
  SELECT i, i, 'f' || i, 'k', i FROM generate_series(1, 50) i;
INSERT INTO folders SELECT i, i, 'p' || i FROM generate_series(1, 50) i;
INSERT INTO shares SELECT i, i FROM generate_series(1, 50) i;
ALTER TABLE shares ADD CONSTRAINT shares_tenant FOREIGN KEY (tenant_id) REFERENCES tenants NOT VALID;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER files_noted BEFORE INSERT ON files FOR EACH ROW EXECUTE FUNCTION noted();
CREATE POLICY files_own ON files USING (true);
CREATE VIEW paths AS SELECT path FROM folders;
CREATE MATERIALIZED VIEW totals AS SELECT id, path FROM folders;
CREATE UNIQUE INDEX totals_id ON totals (id);
CREATE TABLE events (at integer, what text) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (1) TO (10);
CREATE TABLE events_2 (at integer, what text);
INSERT INTO events_2 VALUES (11, 'a');
CREATE TABLE base (id integer, body text);
CREATE TABLE notes (id integer, body text);
CREATE RULE notes_kept AS ON DELETE TO notes DO INSTEAD NOTHING;
CREATE TABLE old_notes () INHERITS (base);
CREATE TYPE note_type AS (id integer, body text);
CREATE TABLE typed OF note_type;
CREATE UNLOGGED TABLE scratch (id integer);
CREATE ACCESS METHOD heap_too TYPE TABLE HANDLER heap_tableam_handler;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (id integer) SERVER nowhere;
CREATE TABLE "My Files" (id integer);
)";

enum class Alone { no, yes };

struct LockForm {
  std::string_view statement;
  std::string_view locks;   ///< As to_string(), with "; " between them.
  Alone alone = Alone::no;  ///< Runs in no transaction: compared with the documentation only.
};

inline constexpr LockForm kLockForms[] = {
    // Rows.
    {"INSERT INTO files (id, kind, plain) VALUES (0, 'k', 1)", "ROW EXCLUSIVE on files"},
    {"UPDATE ONLY files SET size = 1", "ROW EXCLUSIVE on files"},
    {"DELETE FROM files WHERE id = 1", "ROW EXCLUSIVE on files"},
    {"MERGE INTO files f USING folders g ON f.id = g.id WHEN MATCHED THEN DELETE",
     "ROW EXCLUSIVE on files"},
    {"WITH gone AS (DELETE FROM files RETURNING id), a AS (UPDATE tenants SET code = NULL "
     "RETURNING 1) INSERT INTO folders SELECT id + 100 FROM gone",
     "ROW EXCLUSIVE on files; ROW EXCLUSIVE on tenants; ROW EXCLUSIVE on folders"},
    {"WITH a AS (SELECT 1) UPDATE folders SET path = 'x'", "ROW EXCLUSIVE on folders"},
    {"COPY files (id) FROM '/etc/hostname'", "ROW EXCLUSIVE on files", Alone::yes},
    {"SELECT * FROM files", ""},
    {"SELECT * FROM files FOR UPDATE", ""},
    {"WITH a AS (SELECT id AS update FROM files) SELECT count(update) FROM a", ""},
    {"TRUNCATE files, ONLY folders CASCADE",
     "ACCESS EXCLUSIVE on files; ACCESS EXCLUSIVE on folders"},
    {"TRUNCATE TABLE scratch", "ACCESS EXCLUSIVE on scratch"},
    {"LOCK TABLE files, folders IN SHARE ROW EXCLUSIVE MODE NOWAIT",
     "SHARE ROW EXCLUSIVE on files; SHARE ROW EXCLUSIVE on folders"},
    {"LOCK files", "ACCESS EXCLUSIVE on files"},
    {"LOCK files IN ACCESS SHARE MODE", "ACCESS SHARE on files"},
    {"LOCK files IN ROW SHARE MODE", "ROW SHARE on files"},
    {"LOCK files IN EXCLUSIVE MODE", "EXCLUSIVE on files"},

    // New tables and views.
    {"CREATE TABLE fresh (id integer PRIMARY KEY, a integer REFERENCES tenants, b integer, "
     "FOREIGN KEY (b) REFERENCES files (id))",
     "SHARE ROW EXCLUSIVE on tenants; SHARE ROW EXCLUSIVE on files"},
    {"CREATE TABLE fresh (id integer PRIMARY KEY, parent integer REFERENCES fresh)", ""},
    {"CREATE TABLE IF NOT EXISTS fresh (LIKE files)", ""},
    {"CREATE TEMP TABLE fresh AS SELECT * FROM files", ""},
    {"CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM (20) TO (30)",
     "ACCESS EXCLUSIVE on events"},
    {"CREATE TABLE fresh (extra text) INHERITS (base, notes)",
     "SHARE UPDATE EXCLUSIVE on base; SHARE UPDATE EXCLUSIVE on notes"},
    {"CREATE FOREIGN TABLE fresh (id integer) SERVER nowhere", ""},
    {"CREATE VIEW fresh AS SELECT * FROM files", ""},
    {"CREATE OR REPLACE VIEW paths AS SELECT path FROM folders WHERE id > 1",
     "ACCESS EXCLUSIVE on paths"},
    {"CREATE MATERIALIZED VIEW fresh AS SELECT * FROM files", ""},

    // Dropped ones.
    {"DROP TABLE IF EXISTS scratch, \"My Files\"",
     "ACCESS EXCLUSIVE on scratch; ACCESS EXCLUSIVE on \"My Files\""},
    {"DROP TABLE public.files CASCADE", "ACCESS EXCLUSIVE on public.files"},
    {"DROP FOREIGN TABLE far", "ACCESS EXCLUSIVE on far"},
    {"DROP VIEW paths", "ACCESS EXCLUSIVE on paths"},
    {"DROP MATERIALIZED VIEW totals", "ACCESS EXCLUSIVE on totals"},

    // Indexes.
    {"CREATE INDEX ON files (size)", "SHARE on files, scans it"},
    {"CREATE UNIQUE INDEX IF NOT EXISTS files_seq ON ONLY FILES USING btree (seq) WHERE id > 1",
     "SHARE on files, scans it"},
    {"CREATE INDEX CONCURRENTLY files_size ON files (size)",
     "SHARE UPDATE EXCLUSIVE on files, scans it",
     Alone::yes},
    {"DROP INDEX files_name, files_kind",
     "ACCESS EXCLUSIVE on the table of index files_name; "
     "ACCESS EXCLUSIVE on the table of index files_kind"},
    {"DROP INDEX CONCURRENTLY IF EXISTS files_name",
     "SHARE UPDATE EXCLUSIVE on the table of index files_name",
     Alone::yes},
    {"REINDEX INDEX files_name",
     "SHARE on the table of index files_name, scans it; ACCESS EXCLUSIVE on index files_name"},
    {"REINDEX (VERBOSE) TABLE files",
     "SHARE on files, scans it; ACCESS EXCLUSIVE on the indexes of files"},
    {"REINDEX TABLE CONCURRENTLY files", "SHARE UPDATE EXCLUSIVE on files, scans it", Alone::yes},
    {"REINDEX (CONCURRENTLY) INDEX files_name",
     "SHARE UPDATE EXCLUSIVE on the table of index files_name, scans it",
     Alone::yes},
    {"REINDEX SCHEMA public", "", Alone::yes},

    // Columns that are added.
    {"ALTER TABLE files ADD COLUMN a text", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE IF EXISTS ONLY files * ADD IF NOT EXISTS a text DEFAULT NULL",
     "ACCESS EXCLUSIVE on files",
     Alone::yes},
    {"ALTER TABLE files ADD a text NOT NULL DEFAULT 'x'::text", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE scratch ADD a text NOT NULL", "ACCESS EXCLUSIVE on scratch, scans it"},
    {"ALTER TABLE files ADD a timestamp(3) with time zone DEFAULT date_trunc('day', now())",
     "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ADD a numeric(10, 2) DEFAULT (-1.5)::numeric(10, 2) NOT NULL",
     "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ADD a integer[] DEFAULT ARRAY[1, 2], ADD b jsonb DEFAULT '{}'",
     "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ADD a uuid DEFAULT gen_random_uuid()",
     "ACCESS EXCLUSIVE on files, rewrites it"},
    {"ALTER TABLE files ADD a float DEFAULT (1 + pg_catalog.random()) NOT NULL",
     "ACCESS EXCLUSIVE on files, rewrites it"},
    {"ALTER TABLE files ADD a text DEFAULT repeat('a', 3)",
     "ACCESS EXCLUSIVE on files, may rewrite it"},
    {"ALTER TABLE files ADD a text DEFAULT pg_backend_pid()::text || random()::text",
     "ACCESS EXCLUSIVE on files, rewrites it"},
    {"ALTER TABLE files ADD a integer GENERATED ALWAYS AS (size + 1) STORED",
     "ACCESS EXCLUSIVE on files, rewrites it"},
    {"ALTER TABLE folders ADD a integer GENERATED BY DEFAULT AS IDENTITY",
     "ACCESS EXCLUSIVE on folders, rewrites it"},
    {"ALTER TABLE files ADD a bigserial", "ACCESS EXCLUSIVE on files, rewrites it"},
    {"ALTER TABLE files ADD a integer CHECK (a > 1)", "ACCESS EXCLUSIVE on files, scans it"},
    {"ALTER TABLE files ADD a integer UNIQUE", "ACCESS EXCLUSIVE on files, scans it"},
    {"ALTER TABLE folders ADD a integer REFERENCES tenants (id) ON DELETE SET DEFAULT",
     "ACCESS EXCLUSIVE on folders; SHARE ROW EXCLUSIVE on tenants"},
    {"ALTER TABLE folders ADD a integer DEFAULT 1 CONSTRAINT c REFERENCES tenants",
     "ACCESS EXCLUSIVE on folders, scans it; SHARE ROW EXCLUSIVE on tenants, may scan it"},
    {"ALTER TABLE folders ADD a integer CHECK (a > 1) REFERENCES tenants",
     "ACCESS EXCLUSIVE on folders, scans it; SHARE ROW EXCLUSIVE on tenants"},
    {"ALTER FOREIGN TABLE far ADD a integer NOT NULL", "ACCESS EXCLUSIVE on far"},

    // Columns that are there.
    {"ALTER TABLE files DROP COLUMN IF EXISTS old CASCADE", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER COLUMN kind TYPE text", "ACCESS EXCLUSIVE on files, may rewrite it"},
    {"ALTER TABLE files ALTER plain SET DATA TYPE integer USING plain::integer",
     "ACCESS EXCLUSIVE on files, may rewrite it"},
    {"ALTER TABLE files ALTER size SET DEFAULT 1", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER size DROP DEFAULT", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER COLUMN name SET NOT NULL", "ACCESS EXCLUSIVE on files, may scan it"},
    {"ALTER TABLE files ALTER COLUMN kind DROP NOT NULL", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER doubled DROP EXPRESSION", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER plain ADD GENERATED ALWAYS AS IDENTITY", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER seq SET GENERATED BY DEFAULT SET INCREMENT BY 2",
     "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER seq SET CACHE 10", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER seq RESTART WITH 100", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER seq DROP IDENTITY", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER name SET STATISTICS 500", "SHARE UPDATE EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER name SET (n_distinct = 5)", "SHARE UPDATE EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER name RESET (n_distinct)", "SHARE UPDATE EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER name SET STORAGE EXTERNAL", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ALTER name SET COMPRESSION pglz", "ACCESS EXCLUSIVE on files"},
    {"ALTER FOREIGN TABLE far ALTER id OPTIONS (column_name 'x')", "ACCESS EXCLUSIVE on far"},

    // Constraints.
    {"ALTER TABLE files ADD CONSTRAINT c CHECK (id > 0)", "ACCESS EXCLUSIVE on files, scans it"},
    {"ALTER TABLE files ADD CHECK (id > 0) NO INHERIT NOT VALID", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files ADD CONSTRAINT c FOREIGN KEY (tenant_id) REFERENCES tenants (id)",
     "SHARE ROW EXCLUSIVE on files, scans it; SHARE ROW EXCLUSIVE on tenants, may scan it"},
    {"ALTER TABLE files ADD FOREIGN KEY (tenant_id) REFERENCES public.tenants NOT VALID",
     "SHARE ROW EXCLUSIVE on files; SHARE ROW EXCLUSIVE on public.tenants"},
    {"ALTER TABLE files ADD FOREIGN KEY (tenant_id) REFERENCES files NOT VALID",
     "SHARE ROW EXCLUSIVE on files"},
    {"ALTER TABLE shares ADD PRIMARY KEY (id)", "ACCESS EXCLUSIVE on shares, scans it"},
    {"ALTER TABLE files ADD CONSTRAINT u UNIQUE (name, id)", "ACCESS EXCLUSIVE on files, scans it"},
    {"ALTER TABLE files ADD CONSTRAINT u UNIQUE USING INDEX files_key",
     "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE folders ADD CONSTRAINT p PRIMARY KEY USING INDEX folders_id",
     "ACCESS EXCLUSIVE on folders, may scan it"},
    {"ALTER TABLE files ADD EXCLUDE USING btree (id WITH =)",
     "ACCESS EXCLUSIVE on files, scans it"},
    {"ALTER TABLE files VALIDATE CONSTRAINT files_size",
     "SHARE UPDATE EXCLUSIVE on files, scans it"},
    {"ALTER TABLE shares VALIDATE CONSTRAINT shares_tenant",
     "SHARE UPDATE EXCLUSIVE on shares, scans it"},
    {"ALTER TABLE files DROP CONSTRAINT files_size", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE shares ALTER CONSTRAINT shares_tenant DEFERRABLE", "ACCESS EXCLUSIVE on shares"},

    // The table as a whole.
    {"ALTER TABLE files RENAME TO documents", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files RENAME old TO older", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files RENAME CONSTRAINT files_size TO files_length", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files SET SCHEMA elsewhere", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files OWNER TO CURRENT_USER", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files SET (fillfactor = 70, autovacuum_enabled = false)",
     "SHARE UPDATE EXCLUSIVE on files"},
    {"ALTER TABLE files RESET (fillfactor)", "SHARE UPDATE EXCLUSIVE on files"},
    {"ALTER TABLE files SET (user_catalog_table = true)", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files SET UNLOGGED", "ACCESS EXCLUSIVE on files, rewrites it"},
    {"ALTER TABLE scratch SET LOGGED", "ACCESS EXCLUSIVE on scratch, rewrites it"},
    {"ALTER TABLE files SET TABLESPACE space", "ACCESS EXCLUSIVE on files, rewrites it"},
    {"ALTER TABLE files SET ACCESS METHOD heap_too", "ACCESS EXCLUSIVE on files, rewrites it"},
    {"ALTER TABLE files CLUSTER ON files_name", "SHARE UPDATE EXCLUSIVE on files"},
    {"ALTER TABLE files SET WITHOUT CLUSTER", "SHARE UPDATE EXCLUSIVE on files"},
    {"ALTER TABLE files SET WITHOUT OIDS", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files REPLICA IDENTITY FULL", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files DISABLE TRIGGER ALL", "SHARE ROW EXCLUSIVE on files"},
    {"ALTER TABLE files ENABLE TRIGGER files_noted", "SHARE ROW EXCLUSIVE on files"},
    {"ALTER TABLE files ENABLE REPLICA TRIGGER files_noted", "SHARE ROW EXCLUSIVE on files"},
    {"ALTER TABLE files ENABLE ALWAYS TRIGGER files_noted", "SHARE ROW EXCLUSIVE on files"},
    {"ALTER TABLE notes DISABLE RULE notes_kept", "ACCESS EXCLUSIVE on notes"},
    {"ALTER TABLE notes ENABLE ALWAYS RULE notes_kept", "ACCESS EXCLUSIVE on notes"},
    {"ALTER TABLE files ENABLE ROW LEVEL SECURITY", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files DISABLE ROW LEVEL SECURITY", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files FORCE ROW LEVEL SECURITY", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE files NO FORCE ROW LEVEL SECURITY", "ACCESS EXCLUSIVE on files"},
    {"ALTER TABLE notes INHERIT base", "ACCESS EXCLUSIVE on notes; SHARE UPDATE EXCLUSIVE on base"},
    {"ALTER TABLE old_notes NO INHERIT base", "ACCESS EXCLUSIVE on old_notes"},
    {"ALTER TABLE notes OF note_type", "ACCESS EXCLUSIVE on notes"},
    {"ALTER TABLE typed NOT OF", "ACCESS EXCLUSIVE on typed"},
    {"ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES FROM (10) TO (20)",
     "SHARE UPDATE EXCLUSIVE on events; ACCESS EXCLUSIVE on events_2, may scan it"},
    {"ALTER TABLE events DETACH PARTITION events_1",
     "ACCESS EXCLUSIVE on events; ACCESS EXCLUSIVE on events_1"},
    {"ALTER TABLE events DETACH PARTITION events_1 CONCURRENTLY",
     "SHARE UPDATE EXCLUSIVE on events; ACCESS EXCLUSIVE on events_1",
     Alone::yes},
    {"ALTER TABLE events DETACH PARTITION events_1 FINALIZE",
     "SHARE UPDATE EXCLUSIVE on events; ACCESS EXCLUSIVE on events_1",
     Alone::yes},
    {"ALTER FOREIGN TABLE far OPTIONS (table_name 'x')", "ACCESS EXCLUSIVE on far"},

    // Several actions: the strongest lock, the most work.
    {"ALTER TABLE files ALTER name SET STATISTICS 5, VALIDATE CONSTRAINT files_size",
     "SHARE UPDATE EXCLUSIVE on files, scans it"},
    {"ALTER TABLE files ALTER name SET STATISTICS 5, ADD a integer DEFAULT greatest(1, 2), "
     "VALIDATE CONSTRAINT files_size",
     "ACCESS EXCLUSIVE on files, scans it"},
    {"ALTER TABLE files ADD a serial, ADD FOREIGN KEY (tenant_id) REFERENCES tenants NOT VALID",
     "ACCESS EXCLUSIVE on files, rewrites it; SHARE ROW EXCLUSIVE on tenants"},

    // Views.
    {"ALTER VIEW paths RENAME TO ways", "ACCESS EXCLUSIVE on paths"},
    {"ALTER VIEW paths SET (security_barrier = true)", "ACCESS EXCLUSIVE on paths"},
    {"ALTER VIEW paths ALTER path SET DEFAULT 'x'", "ACCESS EXCLUSIVE on paths"},
    {"ALTER MATERIALIZED VIEW totals RENAME TO sums", "ACCESS EXCLUSIVE on totals"},
    {"ALTER MATERIALIZED VIEW totals SET (fillfactor = 70)", "SHARE UPDATE EXCLUSIVE on totals"},
    {"REFRESH MATERIALIZED VIEW totals", "ACCESS EXCLUSIVE on totals, rewrites it"},
    {"REFRESH MATERIALIZED VIEW CONCURRENTLY totals", "EXCLUSIVE on totals, scans it"},

    // Triggers, rules, policies, comments, statistics.
    {"CREATE TRIGGER t BEFORE INSERT OR UPDATE OF name, size ON files FOR EACH ROW "
     "EXECUTE FUNCTION noted()",
     "SHARE ROW EXCLUSIVE on files"},
    {"CREATE CONSTRAINT TRIGGER t AFTER INSERT ON files FOR EACH ROW EXECUTE FUNCTION noted()",
     "SHARE ROW EXCLUSIVE on files"},
    {"CREATE OR REPLACE TRIGGER files_noted BEFORE DELETE ON files FOR EACH ROW "
     "EXECUTE FUNCTION noted()",
     "SHARE ROW EXCLUSIVE on files"},
    {"ALTER TRIGGER files_noted ON files RENAME TO files_seen", "ACCESS EXCLUSIVE on files"},
    {"DROP TRIGGER IF EXISTS files_noted ON files", "ACCESS EXCLUSIVE on files"},
    {"CREATE OR REPLACE RULE r AS ON INSERT TO paths DO INSTEAD NOTHING",
     "ACCESS EXCLUSIVE on paths"},
    {"ALTER RULE notes_kept ON notes RENAME TO notes_stay", "ACCESS EXCLUSIVE on notes"},
    {"DROP RULE notes_kept ON notes", "ACCESS EXCLUSIVE on notes"},
    {"CREATE POLICY p ON files FOR SELECT USING (true)", "ACCESS EXCLUSIVE on files"},
    {"ALTER POLICY files_own ON files USING (false)", "ACCESS EXCLUSIVE on files"},
    {"DROP POLICY files_own ON files", "ACCESS EXCLUSIVE on files"},
    {"COMMENT ON TABLE files IS 'x'", "SHARE UPDATE EXCLUSIVE on files"},
    {"COMMENT ON COLUMN public.files.name IS 'x'", "SHARE UPDATE EXCLUSIVE on public.files"},
    {"COMMENT ON VIEW paths IS 'x'", "SHARE UPDATE EXCLUSIVE on paths"},
    {"COMMENT ON MATERIALIZED VIEW totals IS 'x'", "SHARE UPDATE EXCLUSIVE on totals"},
    {"COMMENT ON FOREIGN TABLE far IS 'x'", "SHARE UPDATE EXCLUSIVE on far"},
    {"COMMENT ON CONSTRAINT files_size ON files IS 'x'", ""},
    {"CREATE STATISTICS s (ndistinct) ON size, (extract(day from now()) + id) FROM files",
     "SHARE UPDATE EXCLUSIVE on files",
     Alone::yes},
    {"CREATE STATISTICS IF NOT EXISTS s ON size, name FROM files",
     "SHARE UPDATE EXCLUSIVE on files"},
    {"GRANT SELECT ON files TO PUBLIC", ""},

    // Maintenance.
    {"CLUSTER files USING files_name", "ACCESS EXCLUSIVE on files, rewrites it"},
    {"CLUSTER VERBOSE files_name ON files", "ACCESS EXCLUSIVE on files, rewrites it"},
    {"CLUSTER (VERBOSE) files USING files_kind", "ACCESS EXCLUSIVE on files, rewrites it"},
    {"CLUSTER", "", Alone::yes},
    {"ANALYZE VERBOSE files (name, size), folders",
     "SHARE UPDATE EXCLUSIVE on files; SHARE UPDATE EXCLUSIVE on folders"},
    {"VACUUM files", "SHARE UPDATE EXCLUSIVE on files", Alone::yes},
    {"VACUUM FULL files", "ACCESS EXCLUSIVE on files, rewrites it", Alone::yes},
    {"VACUUM (ANALYZE, FULL) files", "ACCESS EXCLUSIVE on files, rewrites it", Alone::yes},
    {"VACUUM (FULL off) files", "SHARE UPDATE EXCLUSIVE on files", Alone::yes},
    {"VACUUM FULL", "", Alone::yes},

    // What is not known, or not of a table, is not spoken of.
    {"ALTER TABLE ALL IN TABLESPACE space SET TABLESPACE pg_default", "", Alone::yes},
    {"ALTER TABLE files FROBNICATE", "", Alone::yes},
    {"ALTER TABLE files ADD CONSTRAINT c FROBNICATE", "", Alone::yes},
    {"ALTER TYPE note_type RENAME TO other_type", ""},
    {"CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'", ""},
    {"DO $$BEGIN LOCK TABLE files; END$$", "", Alone::yes},
    {"SET LOCAL work_mem = '8MB'", ""},
    {"", "", Alone::yes},
};

}  // namespace drover::engine::parse
