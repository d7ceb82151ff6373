-- drover: revision 0002
-- drover: parents 0001
-- drover: message Date notes

-- drover: up
ALTER TABLE notes ADD COLUMN written_on date;

-- drover: down
ALTER TABLE notes DROP COLUMN written_on;
