-- drover: revision 0017
-- drover: parents 0016
-- drover: message Record every change of a file's status
--
-- "Who released this file from quarantine, and when?" The old and the new status are kept as text,
-- so that the record outlives a change of the type.
-- The PostgreSQL function runs in sessions with any search path, so it writes beside the table that
-- called it instead of to whatever "file_events" comes first on that path.

-- drover: up postgres
CREATE TABLE file_events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  file_id bigint NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  old_status text NOT NULL,
  new_status text NOT NULL,
  changed_by text NOT NULL DEFAULT current_user,
  changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION files_record_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('INSERT INTO %I.file_events (file_id, old_status, new_status)'
                 ' VALUES ($1, $2, $3)', TG_TABLE_SCHEMA)
    USING NEW.id, OLD.status::text, NEW.status::text;
  RETURN NULL;
END;
$$;

CREATE TRIGGER files_record_status
  AFTER UPDATE OF status ON files
  FOR EACH ROW
  WHEN (OLD.status IS DISTINCT FROM NEW.status)
  EXECUTE FUNCTION files_record_status();

-- drover: up sqlite
-- SQLite knows no users, so there is no changed_by.
CREATE TABLE file_events (
  id integer PRIMARY KEY,
  file_id bigint NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  old_status text NOT NULL,
  new_status text NOT NULL,
  changed_at text NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TRIGGER files_record_status
  AFTER UPDATE OF status ON files
  FOR EACH ROW
  WHEN OLD.status IS NOT NEW.status
BEGIN
  INSERT INTO file_events (file_id, old_status, new_status)
  VALUES (NEW.id, OLD.status, NEW.status);
END;

-- drover: up
CREATE INDEX file_events_file_id ON file_events (file_id, changed_at);

-- drover: down postgres
DROP TRIGGER files_record_status ON files;
DROP FUNCTION files_record_status();

-- drover: down sqlite
DROP TRIGGER files_record_status;

-- drover: down
DROP TABLE file_events;
