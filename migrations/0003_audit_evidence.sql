-- What makes the audit log evidence: a code for each row under a key that only goes forward, signed checkpoints, archived segments.

-- Set with the row, or, where the key was not at hand then, once it is (docs/audit-log.md).
ALTER TABLE audit_event ADD COLUMN mac BLOB CHECK (length(mac) = 32);
CREATE INDEX audit_event_unbound ON audit_event (sequence) WHERE mac IS NULL;
CREATE INDEX audit_event_time ON audit_event (time);
CREATE INDEX audit_event_user ON audit_event (user, sequence);

DROP TRIGGER audit_event_never_changed;
CREATE TRIGGER audit_event_never_changed BEFORE UPDATE OF
  sequence, id, time, action, outcome, cause, profile, role_arn, role_session_name, source_identity, source_access_key_id, access_key_id,
  issued_at, expires_at, duration_seconds, mfa, request_id, endpoint, reason, error, detail, session_id, intent_id, user, uid, pid, program,
  executable, directory, parent, host, subject, subject_version, previous_hash, hash
ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_event_bound_once BEFORE UPDATE OF mac ON audit_event WHEN OLD.mac IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- Rows that were written to a file, signed, and taken out of the table. The row `AuditArchived` of the log says the same.
CREATE TABLE audit_segment (
  first_sequence INTEGER NOT NULL PRIMARY KEY,
  last_sequence  INTEGER NOT NULL CHECK (last_sequence >= first_sequence),
  first_previous BLOB    NOT NULL CHECK (length(first_previous) = 32),
  last_hash      BLOB    NOT NULL CHECK (length(last_hash) = 32),
  archived_at    INTEGER NOT NULL,
  file           TEXT    NOT NULL,
  digest         BLOB    NOT NULL CHECK (length(digest) = 32)        -- BLAKE2b-256 of the file
) STRICT;
DROP TRIGGER audit_event_never_deleted;
CREATE TRIGGER audit_event_never_deleted BEFORE DELETE ON audit_event
WHEN OLD.sequence > coalesce((SELECT max(last_sequence) FROM audit_segment), 0)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- The log's own keys, sealed under the master key.
CREATE TABLE audit_key (
  name       TEXT    NOT NULL PRIMARY KEY CHECK (name IN ('ratchet', 'signing')),
  sequence   INTEGER NOT NULL,                                       -- the row that the key in the envelope is for; 0 for one that signs
  first      INTEGER NOT NULL,                                       -- the first row of this ratchet
  public_key BLOB    NOT NULL CHECK (length(public_key) = 32),       -- of the key that signs
  is_anchored INTEGER NOT NULL CHECK (is_anchored IN (0, 1)),        -- 1: the key store has been told of a head
  key_id     BLOB    NOT NULL REFERENCES master_key (key_id),
  created_at INTEGER NOT NULL,
  envelope   BLOB    NOT NULL
) STRICT;

-- Signed heads of the log. The newest also stands in the key store.
CREATE TABLE audit_checkpoint (
  sequence   INTEGER NOT NULL PRIMARY KEY,
  hash       BLOB    NOT NULL CHECK (length(hash) = 32),
  signed_at  INTEGER NOT NULL,
  public_key BLOB    NOT NULL CHECK (length(public_key) = 32),
  signature  BLOB    NOT NULL CHECK (length(signature) = 64)
) STRICT;
