-- Narrowed sessions, and process trees that act by themselves.

-- The processes above the requester, the run that it belongs to, and what its session was narrowed to: hashed from form 3 on.
ALTER TABLE audit_event ADD COLUMN parents TEXT;                       -- JSON: [{"pid":…,"executable":"…"}], the nearest first
ALTER TABLE audit_event ADD COLUMN automation TEXT;                    -- the name given to `exec --automation`
ALTER TABLE audit_event ADD COLUMN run TEXT;                           -- run_…
ALTER TABLE audit_event ADD COLUMN root_pid INTEGER;                   -- the root of the run's tree
ALTER TABLE audit_event ADD COLUMN scope TEXT;                         -- JSON, docs/reference.md; a policy is there by its digest
CREATE INDEX audit_event_automation ON audit_event (automation, sequence) WHERE automation IS NOT NULL;
CREATE INDEX audit_event_run ON audit_event (run, sequence) WHERE run IS NOT NULL;

DROP TRIGGER audit_event_never_changed;
CREATE TRIGGER audit_event_never_changed BEFORE UPDATE OF
  sequence, id, time, action, outcome, trigger, profile, role_arn, role_session_name, source_identity, source_access_key_id, access_key_id,
  issued_at, expires_at, duration_seconds, mfa, request_id, endpoint, reason, error, detail, session_id, intent_id, user, uid, pid, program,
  executable, directory, parent, host, subject, subject_version, parents, automation, run, root_pid, scope, previous_hash, hash, form_version
ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

ALTER TABLE session ADD COLUMN scope TEXT;                             -- as in the log; null for the profile's own

-- What a program that is served, or a file that is kept fresh, asked for besides its profile.
ALTER TABLE lease ADD COLUMN scope TEXT;                               -- JSON, whole; null for the profile's own session
ALTER TABLE lease ADD COLUMN role TEXT;                                -- an ARN that the profile is the source of (`--role`)
ALTER TABLE lease ADD COLUMN run TEXT;                                 -- the run to which its program belongs
ALTER TABLE credentials_link ADD COLUMN scope TEXT;

-- Process trees that were started by `exec --automation` and have not ended: an agent that starts anew goes on narrowing them.
CREATE TABLE automation_run (
  run        TEXT    NOT NULL PRIMARY KEY,                             -- run_…
  name       TEXT    NOT NULL,
  -- The tree's root, so that no other process with its number is taken for it.
  pid        INTEGER NOT NULL,
  started    INTEGER NOT NULL,                                         -- clock ticks since the machine's start
  boot       TEXT    NOT NULL,                                         -- which start of the machine
  cgroup     TEXT,                                                     -- the tree's own, if the user manager made one
  scope      TEXT,                                                     -- JSON, whole
  began_at   INTEGER NOT NULL,
  revoked_at INTEGER,                                                  -- from then on the tree gets nothing
  mac        BLOB    NOT NULL CHECK (length(mac) = 32)                 -- docs/sealing.md, "Rows in the clear"
) STRICT, WITHOUT ROWID;
