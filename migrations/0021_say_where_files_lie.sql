-- drover: revision 0021
-- drover: parents 0020
-- drover: message Say in which store a file lies
--
-- Files are to move from our disks to an object store, a few at a time. file_path alone cannot say
-- where one lies now: 'disk:/a/10' or 's3:bucket/a/10' can. A generated column or an index on an
-- expression will not do, since the two go apart as soon as the first file moves.
--
-- By now tenants have millions of files, so this is not 0004 to 0006 again: one UPDATE of all would
-- hold its locks for an hour, and leave as many dead rows as there are live ones. The programs
-- write storage_location wherever the column is there, and are released before this revision is.

-- drover: up
ALTER TABLE files ADD COLUMN storage_location text;

-- drover: up postgres
-- A backfill fires the triggers of its table. As 0010 made it, this one would date every file, and
-- every desktop client would fetch all of them again. The list leaves out what is no change to a
-- client; SQLite's trigger has had one from the start.
DROP TRIGGER files_note_update ON files;
CREATE TRIGGER files_note_update
  BEFORE UPDATE OF tenant_id, tenant_code, original_filename, file_path, file_size, file_hash,
                   status, uploaded_at, content_type ON files
  FOR EACH ROW
  WHEN (OLD.* IS DISTINCT FROM NEW.*)
  EXECUTE FUNCTION files_note_update();

-- drover: batch table=files key=id trigger=sync check=count rows=500..20000
-- drover: done storage_location IS NOT NULL
-- In the order of the key, each transaction goes on behind the last row of the one before. That a
-- row is done says the line above: it makes going over a row again harmless, it is what the check
-- counts at the end, and what the trigger asks. trigger=sync makes one for as long as the batch
-- runs. A machine that was forgotten still writes rows without a location, into ranges that are
-- behind us as well; the trigger fills them in.
UPDATE files SET storage_location = 'disk:' || file_path WHERE {range};

-- drover: up postgres
-- From here on a program that does not know the column gets an error instead of leaving a hole.
ALTER TABLE files ADD CONSTRAINT files_storage_location_present
  CHECK (storage_location IS NOT NULL) NOT VALID;

-- drover: up sqlite
-- SQLite would have to build the table anew for a NOT NULL, which copies all of it in one
-- transaction, and was not to be. Two triggers refuse the same rows.
CREATE TRIGGER files_storage_location_insert
  BEFORE INSERT ON files
  FOR EACH ROW
  WHEN NEW.storage_location IS NULL
BEGIN
  SELECT RAISE(ABORT, 'NOT NULL constraint failed: files.storage_location');
END;

CREATE TRIGGER files_storage_location_update
  BEFORE UPDATE OF storage_location ON files
  FOR EACH ROW
  WHEN NEW.storage_location IS NULL
BEGIN
  SELECT RAISE(ABORT, 'NOT NULL constraint failed: files.storage_location');
END;

-- drover: batch table=files key=id check=count rows=500..20000
-- drover: done storage_location IS NOT NULL
-- Between the end of the trigger above and the beginning of the check, a moment passed. Whatever
-- was written in it is found now, and nothing can follow. Mostly this only reads.
UPDATE files SET storage_location = 'disk:' || file_path WHERE {range};

-- drover: up postgres no-transaction
ALTER TABLE files VALIDATE CONSTRAINT files_storage_location_present;

-- drover: up postgres
-- The proven check is believed, so the table is not read again (0006).
ALTER TABLE files ALTER COLUMN storage_location SET NOT NULL;
ALTER TABLE files DROP CONSTRAINT files_storage_location_present;

-- drover: up postgres no-transaction
-- Last, so that the batch did not have to keep it up to date row by row: built at once, it is
-- smaller, and quicker to build.
CREATE INDEX CONCURRENTLY files_storage_location ON files (storage_location);

-- drover: up sqlite
CREATE INDEX files_storage_location ON files (storage_location);

-- drover: down
-- Fails, and changes nothing, as long as some file lies elsewhere: the column alone knows where.
-- A check that names the trouble raises on both databases; SQLite has no other way to.
CREATE TABLE files_elsewhere (
  number bigint CONSTRAINT some_files_lie_elsewhere CHECK (number = 0)
);
INSERT INTO files_elsewhere
SELECT count(*) FROM files WHERE storage_location NOT LIKE 'disk:%';
DROP TABLE files_elsewhere;

-- drover: down postgres no-transaction
DROP INDEX CONCURRENTLY files_storage_location;

-- drover: down postgres
DROP TRIGGER files_note_update ON files;
CREATE TRIGGER files_note_update
  BEFORE UPDATE ON files
  FOR EACH ROW
  WHEN (OLD.* IS DISTINCT FROM NEW.*)
  EXECUTE FUNCTION files_note_update();

-- drover: down sqlite
DROP INDEX files_storage_location;
DROP TRIGGER files_storage_location_insert;
DROP TRIGGER files_storage_location_update;

-- drover: down
ALTER TABLE files DROP COLUMN storage_location;
