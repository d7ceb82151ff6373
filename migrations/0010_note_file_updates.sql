-- drover: revision 0010
-- drover: parents 0008
-- drover: message Note when a file was last changed
-- drover: labels sync
--
-- Desktop clients ask for what changed since they looked. A trigger, because three programs write
-- files and one of them would forget. NULL: never changed since this revision.

-- drover: up postgres
ALTER TABLE files ADD COLUMN updated_at timestamptz;
COMMENT ON COLUMN files.updated_at IS 'Set by the trigger files_note_update; NULL: never changed';

CREATE FUNCTION files_note_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END;
$$;

CREATE TRIGGER files_note_update
  BEFORE UPDATE ON files
  FOR EACH ROW
  WHEN (OLD.* IS DISTINCT FROM NEW.*)
  EXECUTE FUNCTION files_note_update();

-- drover: up sqlite
ALTER TABLE files ADD COLUMN updated_at text;

-- updated_at itself is not in the list, so the trigger does not call itself.
CREATE TRIGGER files_note_update
  AFTER UPDATE OF tenant_id, tenant_code, original_filename, file_path, file_size, file_hash,
                  status, uploaded_at, content_type ON files
  FOR EACH ROW
BEGIN
  UPDATE files SET updated_at = CURRENT_TIMESTAMP WHERE id = NEW.id;
END;

-- drover: down postgres
DROP TRIGGER files_note_update ON files;
DROP FUNCTION files_note_update();

-- drover: down sqlite
DROP TRIGGER files_note_update;

-- drover: down
ALTER TABLE files DROP COLUMN updated_at;
