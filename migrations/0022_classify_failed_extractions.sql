-- drover: revision 0022
-- drover: parents 0021
-- drover: message Classify failed extractions
--
-- "How many files fail because of a password?" The answer is hidden in error_message, in the words
-- of three libraries. Workers write error_code from their next release on; what failed before is
-- guessed from its message here.
--
-- Nobody waits for that, so the batch is one of the background: the revision is applied as soon as
-- the column is there, and the run goes on to the next tenant. "drover batches run" works the batch
-- off afterwards, at night if need be. Only what descends from this revision has to wait: 0023.

-- drover: up
ALTER TABLE extraction_results ADD COLUMN error_code text;

-- drover: batch table=extraction_results mode=background order=desc rows=50..5000 vacuum=10%
-- drover: where status = 'failed'
-- drover: done error_code IS NOT NULL
-- drover: throttle SELECT count(*) > 500 FROM extraction_results WHERE status = 'pending'
-- order=desc: support asks about last week, so the newest come first.
-- rows: a worker that reports a result may meet a transaction of ours; let it be short.
-- where: which rows are meant; others are passed by, and the check does not count them.
-- Two that only PostgreSQL needs. vacuum: every result is updated a few times in its life, so there
-- is bloat enough already. throttle: as long as this says true, the batch waits; the workers go
-- first, since customers wait for them. Replica lag and the like are watched without being told.
UPDATE extraction_results
   SET error_code = CASE
         WHEN error_message IS NULL THEN 'unknown'
         WHEN lower(error_message) LIKE 'superseded%' THEN 'superseded'
         WHEN lower(error_message) LIKE '%password%' THEN 'protected'
         WHEN lower(error_message) LIKE '%encrypted%' THEN 'protected'
         WHEN lower(error_message) LIKE '%timed out%' THEN 'timeout'
         WHEN lower(error_message) LIKE '%out of memory%' THEN 'too_large'
         ELSE 'other'
       END
 WHERE {range};

-- drover: down
ALTER TABLE extraction_results DROP COLUMN error_code;
