-- drover: revision 0023
-- drover: parents 0022
-- drover: message Report why extractions fail
--
-- A report of codes that are half guessed would be believed all the same. Therefore it descends
-- from 0022: a tenant whose batch is still under way stays at 0022, and an upgrade says that it
-- waits. After "drover batches run" the same upgrade takes it here.

-- drover: up postgres no-transaction
CREATE INDEX CONCURRENTLY extraction_results_failed
  ON extraction_results (error_code, created_at) WHERE status = 'failed';

-- drover: up sqlite
CREATE INDEX extraction_results_failed
  ON extraction_results (error_code, created_at) WHERE status = 'failed';

-- drover: up
-- coalesce: what a worker of the last release reports after the batch went by.
CREATE VIEW extraction_failures AS
SELECT tenant_id,
       extraction_type,
       coalesce(error_code, 'unknown') AS error_code,
       count(*) AS failures,
       max(created_at) AS latest
  FROM extraction_results
 WHERE status = 'failed'
 GROUP BY tenant_id, extraction_type, coalesce(error_code, 'unknown');

-- drover: down
DROP VIEW extraction_failures;

-- drover: down postgres no-transaction
DROP INDEX CONCURRENTLY extraction_results_failed;

-- drover: down sqlite
DROP INDEX extraction_results_failed;
