-- One log per database. Three groups of tables:
--   log, head          one row each: who the log is, how far it has come
--   entries, tiles     the Merkle tree: append only, guarded by triggers
--   index_keys, attestations   what a search and a download need beside the tree
--
-- No foreign keys: rows are written by one transaction only, together with the
-- head that makes them count, and a check per row would be a second look-up for
-- something that this transaction guarantees. Reads notice a missing partner.
-- STRICT: a column holds what it says, as in Postgres.

-- Who this log is. The constant primary key is what makes it a single row.
CREATE TABLE log (
    singleton  INTEGER PRIMARY KEY CHECK (singleton = 1),
    tree_id    INTEGER NOT NULL CHECK (tree_id > 0),
    hostname   TEXT    NOT NULL,
    public_key BLOB    NOT NULL, -- DER SubjectPublicKeyInfo
    created_at INTEGER NOT NULL  -- Unix seconds
) STRICT;

-- The only row that is ever updated, once per round.
CREATE TABLE head (
    singleton  INTEGER PRIMARY KEY CHECK (singleton = 1),
    size       INTEGER NOT NULL CHECK (size >= 0),
    root       BLOB    NOT NULL CHECK (length(root) = 32),
    checkpoint TEXT    NOT NULL, -- signed note, as served
    time       INTEGER NOT NULL  -- Unix seconds of the last round
) STRICT;

-- The leaves. idx is the row id itself: appending goes to the right edge of one
-- B-tree. The 64-byte id that clients see is tree ID and leaf hash: not stored.
CREATE TABLE entries (
    idx             INTEGER PRIMARY KEY CHECK (idx >= 0),
    integrated_time INTEGER NOT NULL, -- Unix seconds
    leaf_hash       BLOB    NOT NULL UNIQUE CHECK (length(leaf_hash) = 32),
    body            BLOB    NOT NULL, -- canonical leaf bytes
    attestation     BLOB              -- digest, when a payload is kept
) STRICT;

-- Which entries stand under a search string, by its SHA-256. WITHOUT ROWID: the
-- primary key is the table, so each pair is stored once.
CREATE TABLE index_keys (
    key BLOB    NOT NULL CHECK (length(key) = 32),
    idx INTEGER NOT NULL,
    PRIMARY KEY (key, idx)
) STRICT, WITHOUT ROWID;

-- Kept payloads by SHA-256 of their bytes, so equal ones are stored once. With
-- a row id: large values would make a WITHOUT ROWID tree shallow and wide.
CREATE TABLE attestations (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    data   BLOB NOT NULL
) STRICT;

-- Full Merkle tiles: 256 hashes, concatenated.
CREATE TABLE tiles (
    level  INTEGER NOT NULL CHECK (level >= 0),
    idx    INTEGER NOT NULL CHECK (idx >= 0),
    hashes BLOB    NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, idx)
) STRICT;

-- What is in the tree stays. A slip at a console fails here instead of in an
-- audit; against someone who wants to tamper only the signed checkpoints help.
CREATE TRIGGER entries_keep_rows BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'a transparency log only grows: DELETE on entries refused'); END;
CREATE TRIGGER entries_keep_values BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'a transparency log only grows: UPDATE on entries refused'); END;
CREATE TRIGGER tiles_keep_rows BEFORE DELETE ON tiles
    BEGIN SELECT RAISE(ABORT, 'a transparency log only grows: DELETE on tiles refused'); END;
CREATE TRIGGER tiles_keep_values BEFORE UPDATE ON tiles
    BEGIN SELECT RAISE(ABORT, 'a transparency log only grows: UPDATE on tiles refused'); END;
CREATE TRIGGER log_keep_rows BEFORE DELETE ON log
    BEGIN SELECT RAISE(ABORT, 'a transparency log only grows: DELETE on log refused'); END;
CREATE TRIGGER log_keep_values BEFORE UPDATE ON log
    BEGIN SELECT RAISE(ABORT, 'a transparency log only grows: UPDATE on log refused'); END;
CREATE TRIGGER head_keep_rows BEFORE DELETE ON head
    BEGIN SELECT RAISE(ABORT, 'a transparency log only grows: DELETE on head refused'); END;
