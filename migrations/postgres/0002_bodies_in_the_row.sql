-- A body of up to 8,160 bytes stays in its row. Out of line, a certificate entry
-- of 3 kB costs two chunk rows of its own with an index entry each: more bytes on
-- disk, more work at each append, and a second look-up at each read. Rows that are
-- there already stay where they are; nothing is rewritten.
ALTER TABLE entries SET (toast_tuple_target = 8160);
