-- drover: revision 0005
-- drover: parents 0004
-- drover: message Guess the content type of old files
--
-- Second step: the ending of the name is good enough for what was uploaded before. It is one plain
-- UPDATE, because no tenant has more than some ten thousand files yet.

-- drover: up
UPDATE files
   SET content_type = CASE
         WHEN lower(original_filename) LIKE '%.pdf' THEN 'application/pdf'
         WHEN lower(original_filename) LIKE '%.txt' THEN 'text/plain'
         WHEN lower(original_filename) LIKE '%.csv' THEN 'text/csv'
         WHEN lower(original_filename) LIKE '%.png' THEN 'image/png'
         WHEN lower(original_filename) LIKE '%.jpg' THEN 'image/jpeg'
         WHEN lower(original_filename) LIKE '%.jpeg' THEN 'image/jpeg'
         ELSE 'application/octet-stream'
       END
 WHERE content_type IS NULL;

-- drover: verify
SELECT count(*) = 0 FROM files WHERE content_type IS NULL;

-- drover: down
-- Nothing to undo: a guess cannot be told from what a program wrote, and 0004 drops the column.
