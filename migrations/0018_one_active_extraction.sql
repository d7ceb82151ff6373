-- drover: revision 0018
-- drover: parents 0017
-- drover: message Start no extraction twice
--
-- Two workers took the same file when a user pressed the button twice. A unique index over what is
-- not finished makes the second request fail. The older of two present requests is given up first;
-- a finished result may still be followed by any number of new ones.

-- drover: up
UPDATE extraction_results
   SET status = 'failed', error_message = 'superseded by a newer request'
 WHERE status IN ('pending', 'running')
   AND EXISTS (SELECT 1
                 FROM extraction_results newer
                WHERE newer.file_id = extraction_results.file_id
                  AND newer.extraction_type = extraction_results.extraction_type
                  AND newer.status IN ('pending', 'running')
                  AND newer.id > extraction_results.id);

-- drover: up postgres no-transaction
CREATE UNIQUE INDEX CONCURRENTLY extraction_results_one_active
  ON extraction_results (file_id, extraction_type)
  WHERE status IN ('pending', 'running');

-- drover: up sqlite
CREATE UNIQUE INDEX extraction_results_one_active
  ON extraction_results (file_id, extraction_type)
  WHERE status IN ('pending', 'running');

-- drover: down postgres no-transaction
DROP INDEX CONCURRENTLY extraction_results_one_active;

-- drover: down sqlite
DROP INDEX extraction_results_one_active;
