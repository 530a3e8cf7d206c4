-- Programs that are served on loopback: an agent that starts anew goes on serving those that still run. Of a token its hash is enough.
CREATE TABLE lease (
  id           TEXT    NOT NULL PRIMARY KEY,                         -- lse_…
  token_hash   BLOB    NOT NULL CHECK (length(token_hash) = 32),     -- BLAKE2b of a random token of 256 bits
  port         INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),    -- the program knows no other
  -- The process, so that no other with its number is taken for it.
  pid          INTEGER NOT NULL,
  started      INTEGER NOT NULL,                                     -- clock ticks since the machine's start
  boot         TEXT    NOT NULL,                                     -- which start of the machine
  -- What it asked for.
  profile      TEXT    NOT NULL,
  role_arn     TEXT,
  duration     INTEGER,                                              -- seconds
  session_name TEXT,
  reason       TEXT,
  environment  TEXT    NOT NULL,                                     -- NAME=value, a line each; nothing secret
  -- Who it is, for the rows of the audit log.
  user         TEXT    NOT NULL,
  uid          INTEGER NOT NULL,
  program      TEXT    NOT NULL,
  executable   TEXT    NOT NULL,
  directory    TEXT    NOT NULL,
  parent       TEXT    NOT NULL,
  host         TEXT    NOT NULL,
  opened_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
