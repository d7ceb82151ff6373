-- drover: revision 0001
-- drover: parents none
-- drover: message Create notes

-- drover: up
CREATE TABLE notes (id integer PRIMARY KEY, text text NOT NULL);

-- drover: down
DROP TABLE notes;
