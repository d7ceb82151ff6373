-- drover: revision 0004
-- drover: parents 0003
-- drover: message Give files a content type
--
-- Downloads need a Content-Type header. First of three steps: a column that may be empty costs
-- nothing to add. PostgreSQL gets the default apart from the column, so that old rows stay empty
-- for 0005 while new ones, from programs that do not know the column yet, are filled at once.

-- drover: up
ALTER TABLE files ADD COLUMN content_type text;

-- drover: up postgres
ALTER TABLE files ALTER COLUMN content_type SET DEFAULT 'application/octet-stream';

-- drover: down
ALTER TABLE files DROP COLUMN content_type;
