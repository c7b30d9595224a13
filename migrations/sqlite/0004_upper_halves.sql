-- The sixteen hashes in the middle of a tile of leaves: with them and sixteen leaf
-- hashes a proof is made, without the other 240 and without hashing them. Two
-- bytes an entry. Null above the leaves, where tiles are few, and in rows that are
-- there already: nothing is rewritten, these are read whole.
ALTER TABLE tiles ADD COLUMN upper_half BLOB CHECK (length(upper_half) = 512);
