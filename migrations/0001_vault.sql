-- The vault's tables. Times are milliseconds since 1970 UTC. Secrets stand in `secret` alone, sealed.

-- The vault itself: one row.
CREATE TABLE vault (
  id         TEXT    NOT NULL PRIMARY KEY,                           -- vlt_…; also names the vault's keys in the key store
  created_at INTEGER NOT NULL
) STRICT;

-- Master keys by name. The keys themselves are in the key store, never here.
CREATE TABLE master_key (
  key_id     BLOB    NOT NULL PRIMARY KEY CHECK (length(key_id) = 8),
  state      TEXT    NOT NULL CHECK (state IN ('prepared', 'active', 'retiring', 'retired')),
  store      TEXT    NOT NULL,                                       -- which key store holds it
  key_check  BLOB    CHECK (length(key_check) = 16),                 -- commits to the key; null until it is used
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX master_key_active ON master_key (state) WHERE state = 'active';

-- A profile, from a followed file or the vault's own. Rows are never deleted, since sessions refer to them.
CREATE TABLE profile (
  id         INTEGER NOT NULL PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  is_own     INTEGER NOT NULL CHECK (is_own IN (0, 1)),              -- 1: the vault keeps it itself
  origin     TEXT    NOT NULL,                                       -- the file as shown, or "vault"
  -- What `list` shows, worked out when the profile is taken in.
  kind       TEXT,
  role_arn   TEXT,
  source     TEXT,
  region     TEXT,
  problem    TEXT,                                                   -- why it cannot lead to credentials
  digest     BLOB    NOT NULL,                                       -- of its settings, to see what changed
  -- The last session issued, as `list` shows it; its times are null once it was forgotten.
  session_id         TEXT REFERENCES session (id),
  session_expires_at INTEGER,
  session_renews_at  INTEGER,
  removed_at INTEGER
) STRICT;
-- All that `list` and completion need, in the order in which they show it: they read this index and nothing else.
CREATE INDEX profile_list ON profile (
  removed_at, name, kind, role_arn, problem, source, origin, session_expires_at, session_renews_at
);

-- Sections that profiles refer to: sso-session, services.
CREATE TABLE shared_section (
  id     INTEGER NOT NULL PRIMARY KEY,
  kind   TEXT    NOT NULL CHECK (kind IN ('sso-session', 'services')),
  name   TEXT    NOT NULL,
  is_own INTEGER NOT NULL CHECK (is_own IN (0, 1)),
  UNIQUE (kind, name)
) STRICT;

-- Settings, in their order. A nested value has a row for each of its lines.
CREATE TABLE setting_line (
  id         INTEGER NOT NULL PRIMARY KEY,
  profile_id INTEGER REFERENCES profile (id),
  section_id INTEGER REFERENCES shared_section (id) ON DELETE CASCADE,
  name       TEXT    NOT NULL,
  nested     TEXT,                                                   -- the name within a nested value; '' for an empty one
  value      TEXT    NOT NULL,
  file       TEXT    NOT NULL,
  line       INTEGER NOT NULL,
  CHECK ((profile_id IS NULL) <> (section_id IS NULL))
) STRICT;
CREATE INDEX setting_line_profile ON setting_line (profile_id) WHERE profile_id IS NOT NULL;
CREATE INDEX setting_line_section ON setting_line (section_id) WHERE section_id IS NOT NULL;

-- AWS files that the vault follows, in the order in which they were imported, as it last saw them.
CREATE TABLE followed_file (
  path         TEXT    NOT NULL PRIMARY KEY,
  position     INTEGER NOT NULL,
  role         TEXT    NOT NULL CHECK (role IN ('config', 'credentials')),
  home         TEXT,                                                 -- shown as ~
  device       INTEGER NOT NULL,                                     -- all four are 0 for a file that was not there
  inode        INTEGER NOT NULL,
  size         INTEGER NOT NULL,
  mtime        INTEGER NOT NULL                                      -- nanoseconds since 1970
) STRICT;

-- Long-lived access keys; the secret half is in `secret`.
CREATE TABLE access_key (
  id            TEXT    NOT NULL PRIMARY KEY,                        -- key_…
  name          TEXT    NOT NULL,
  access_key_id TEXT    NOT NULL,
  mfa_serial    TEXT,
  origin        TEXT    NOT NULL,
  created_at    INTEGER NOT NULL,
  removed_at    INTEGER
) STRICT;
CREATE UNIQUE INDEX access_key_name ON access_key (name) WHERE removed_at IS NULL;

-- A session that AWS issued. Rows are never deleted: what ends is marked.
CREATE TABLE session (
  id                TEXT    NOT NULL PRIMARY KEY,                    -- ses_…
  profile_id        INTEGER NOT NULL REFERENCES profile (id),
  kind              TEXT    NOT NULL CHECK (kind IN ('role', 'token')),
  fingerprint       TEXT    NOT NULL,                                -- digest of everything that was asked for
  role_arn          TEXT,
  role_session_name TEXT,
  source_identity   TEXT,
  access_key_id     TEXT    NOT NULL,
  issued_at         INTEGER NOT NULL,
  expires_at        INTEGER NOT NULL CHECK (expires_at > issued_at),
  renews_at         INTEGER NOT NULL,                                -- from then on a request makes a new one
  ended_at          INTEGER,
  end_reason        TEXT CHECK (end_reason IN ('expired', 'replaced', 'forgotten', 'revoked')),
  replaced_by       TEXT REFERENCES session (id),
  deliveries        INTEGER NOT NULL DEFAULT 0,
  last_used_at      INTEGER,
  CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;
CREATE UNIQUE INDEX session_live ON session (profile_id, fingerprint) WHERE ended_at IS NULL;
CREATE INDEX session_profile ON session (profile_id, issued_at);
CREATE INDEX session_expiry ON session (expires_at) WHERE ended_at IS NULL;

-- Sealed secrets: of a session or of an access key. A row goes when what it belongs to ends.
CREATE TABLE secret (
  owner_table    TEXT    NOT NULL CHECK (owner_table IN ('session', 'access_key')),
  owner_id       TEXT    NOT NULL,
  record_version INTEGER NOT NULL,                                   -- the newest that the audit log knows is the one that opens
  key_id         BLOB    NOT NULL REFERENCES master_key (key_id),
  created_at     INTEGER NOT NULL,
  envelope       BLOB    NOT NULL,                                   -- docs/sealing.md
  PRIMARY KEY (owner_table, owner_id)
) STRICT, WITHOUT ROWID;

-- Settings of the vault itself.
CREATE TABLE setting (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

-- The audit log: append-only, each row bound to the one before by its hash (docs/audit-log.md).
CREATE TABLE audit_event (
  sequence             INTEGER NOT NULL PRIMARY KEY,                 -- 1, 2, 3, … without gaps
  id                   TEXT    NOT NULL,                             -- evt_…
  time                 INTEGER NOT NULL,
  action               TEXT    NOT NULL,
  -- One by one: for a list of them SQLite makes a table in memory at each row, which was a third of what a row cost.
  outcome              TEXT    NOT NULL CHECK (
    outcome = 'intent' OR outcome = 'success' OR outcome = 'failure' OR outcome = 'refused' OR outcome = 'unknown'
  ),
  cause                TEXT    NOT NULL,                             -- the trigger
  profile              TEXT,
  role_arn             TEXT,
  role_session_name    TEXT,
  source_identity      TEXT,
  source_access_key_id TEXT,
  access_key_id        TEXT,
  issued_at            INTEGER,
  expires_at           INTEGER,
  duration_seconds     INTEGER,
  mfa                  INTEGER NOT NULL CHECK (mfa IN (0, 1)),
  request_id           TEXT,
  endpoint             TEXT,
  reason               TEXT,
  error                TEXT,
  detail               TEXT,
  session_id           TEXT,
  intent_id            TEXT,
  user                 TEXT    NOT NULL,
  uid                  INTEGER NOT NULL,
  pid                  INTEGER NOT NULL,
  program              TEXT    NOT NULL,
  executable           TEXT    NOT NULL,
  directory            TEXT    NOT NULL,
  parent               TEXT    NOT NULL,
  host                 TEXT    NOT NULL,
  subject              TEXT,                                         -- the secret that was sealed, replaced or destroyed
  subject_version      INTEGER,                                      -- its version from then on; no sealed row has it once destroyed
  previous_hash        BLOB    NOT NULL CHECK (length(previous_hash) = 32),
  hash                 BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
-- Each index costs every row a page of the write-ahead log, so that there are only those that the filters need most.
CREATE INDEX audit_event_profile ON audit_event (profile, sequence);
CREATE INDEX audit_event_role ON audit_event (role_arn, sequence) WHERE role_arn IS NOT NULL;
CREATE INDEX audit_event_action ON audit_event (action, sequence);
CREATE INDEX audit_event_outcome ON audit_event (outcome, sequence) WHERE outcome <> 'success';
CREATE INDEX audit_event_session ON audit_event (session_id, sequence) WHERE session_id IS NOT NULL;
CREATE INDEX audit_event_intent ON audit_event (intent_id) WHERE intent_id IS NOT NULL;
CREATE UNIQUE INDEX audit_event_subject ON audit_event (subject, subject_version) WHERE subject IS NOT NULL;

CREATE TRIGGER audit_event_never_changed BEFORE UPDATE ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_event_never_deleted BEFORE DELETE ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
