-- drover: revision 0012
-- drover: parents 0011
-- drover: message Count the attempts of an extraction
--
-- A damaged file was tried for ever. Workers now give up after some attempts, and say why.
-- A default that is a constant is kept in the catalogue: no row is rewritten.

-- drover: up
ALTER TABLE extraction_results ADD COLUMN attempts integer NOT NULL DEFAULT 0;
ALTER TABLE extraction_results ADD COLUMN error_message text;

-- drover: down
ALTER TABLE extraction_results DROP COLUMN error_message;
ALTER TABLE extraction_results DROP COLUMN attempts;
