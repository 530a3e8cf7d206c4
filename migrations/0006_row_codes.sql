-- Codes on the rows that lead to a secret: BLAKE2b-256 under a sub-key of the master key (docs/sealing.md, "Rows in the clear").
-- A row without one is nobody's: it came before its vault had a key, or from somebody who has none.

ALTER TABLE profile ADD COLUMN mac BLOB CHECK (length(mac) = 32);
ALTER TABLE shared_section ADD COLUMN mac BLOB CHECK (length(mac) = 32);
ALTER TABLE followed_file ADD COLUMN mac BLOB CHECK (length(mac) = 32);
ALTER TABLE credentials_link ADD COLUMN mac BLOB CHECK (length(mac) = 32);
ALTER TABLE setting ADD COLUMN mac BLOB CHECK (length(mac) = 32);      -- null also for what leads nowhere: sink.…, config.…, locked
ALTER TABLE lease ADD COLUMN mac BLOB CHECK (length(mac) = 32);

-- A random number under which the master key's sub-keys are made. Null for a vault from before there were codes: once it is set, nothing
-- that was sealed under it opens without it, and so nobody gets a vault back to where rows without codes are believed.
ALTER TABLE master_key ADD COLUMN epoch INTEGER;

-- Which rows there are, so that none can be taken away and no older one put back: a code over all their codes.
CREATE TABLE row_set (
  name    TEXT    NOT NULL PRIMARY KEY CHECK (name IN ('own', 'files')), -- the vault's own rows; what the followed files say
  version INTEGER NOT NULL,                                          -- the newest that the audit log knows is the one that counts
  mac     BLOB    NOT NULL CHECK (length(mac) = 32)
) STRICT;
