-- One log per database. Three groups of tables:
--   log, head          one row each: who the log is, how far it has come
--   entries, tiles     the Merkle tree: append only, guarded by triggers
--   index_keys, attestations   what a search and a download need beside the tree
--
-- No foreign keys: rows are written by one statement only, together with the
-- head that makes them count, and a check per row would be a second look-up for
-- something that this statement guarantees. Reads notice a missing partner.

-- Who this log is. The constant primary key is what makes it a single row.
CREATE TABLE log (
    singleton  boolean PRIMARY KEY CHECK (singleton),
    tree_id    bigint  NOT NULL CHECK (tree_id > 0),
    hostname   text    NOT NULL,
    public_key bytea   NOT NULL, -- DER SubjectPublicKeyInfo
    created_at bigint  NOT NULL  -- Unix seconds
);

-- The only row that is ever updated, once per round. No index on the columns
-- that change, and a page that counts as full when it is a tenth full: each
-- update stays heap-only and prunes its forerunners, so the table stays one page.
CREATE TABLE head (
    singleton  boolean PRIMARY KEY CHECK (singleton),
    size       bigint  NOT NULL CHECK (size >= 0),
    root       bytea   NOT NULL CHECK (octet_length(root) = 32),
    checkpoint text    NOT NULL, -- signed note, as served
    time       bigint  NOT NULL  -- Unix seconds of the last round
) WITH (fillfactor = 10);

-- A checkpoint with many witnesses may pass 2 kB; out of line it would cost two
-- more rows and an index entry per round, never pruned.
ALTER TABLE head ALTER COLUMN checkpoint SET STORAGE MAIN;

-- The leaves. Fixed-width columns first, so nothing is lost to padding. The
-- 64-byte id that clients see is tree ID and leaf hash: not stored.
-- Rows never change, so vacuum may freeze them at its first visit and never has
-- to rewrite them to keep old transaction numbers readable.
CREATE TABLE entries (
    idx             bigint PRIMARY KEY CHECK (idx >= 0),
    integrated_time bigint NOT NULL, -- Unix seconds
    leaf_hash       bytea  NOT NULL CHECK (octet_length(leaf_hash) = 32),
    body            bytea  NOT NULL, -- canonical leaf bytes
    attestation     bytea,           -- digest, when a payload is kept
    CONSTRAINT entries_leaf_hash_key UNIQUE (leaf_hash)
) WITH (autovacuum_freeze_min_age = 0);

-- Bodies are base64 of keys, certificates and signatures: 6 bits of noise in
-- each byte, without the repeats that pglz and lz4 live on. Trying costs more
-- processor time than the rest of the insert and saves nothing.
ALTER TABLE entries ALTER COLUMN body SET STORAGE EXTERNAL;

-- Which entries stand under a search string, by its SHA-256.
CREATE TABLE index_keys (
    key bytea  NOT NULL CHECK (octet_length(key) = 32),
    idx bigint NOT NULL,
    PRIMARY KEY (key, idx)
) WITH (autovacuum_freeze_min_age = 0);

-- Kept payloads by SHA-256 of their bytes, so equal ones are stored once.
CREATE TABLE attestations (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    data   bytea NOT NULL
) WITH (autovacuum_freeze_min_age = 0);

-- Payloads are JSON statements: compressing them (the default storage) makes
-- them three to five times smaller. lz4 does that at a fraction of the cost of
-- pglz, where the server was built with it.
DO $$
BEGIN
    EXECUTE 'ALTER TABLE attestations ALTER COLUMN data SET COMPRESSION lz4';
EXCEPTION WHEN feature_not_supported OR syntax_error OR invalid_parameter_value THEN
    NULL;
END
$$;

-- Full Merkle tiles: 256 hashes, concatenated. Noise again, so EXTERNAL.
CREATE TABLE tiles (
    level  smallint NOT NULL CHECK (level >= 0),
    idx    bigint   NOT NULL CHECK (idx >= 0),
    hashes bytea    NOT NULL CHECK (octet_length(hashes) = 8192),
    PRIMARY KEY (level, idx)
) WITH (autovacuum_freeze_min_age = 0);

ALTER TABLE tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- What is in the tree stays. A slip at a console fails here instead of in an
-- audit; against someone who wants to tamper only the signed checkpoints help.
-- Statement triggers: an insert does not pay for them.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a transparency log only grows: % on % refused', TG_OP, TG_TABLE_NAME;
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tiles
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON head
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
