-- Sign-ins to IAM Identity Center, and codes that the vault makes itself.

-- A sign-in, by the name of its sso-session, or by its start URL where a profile says that itself (the older form).
-- Its tokens are in `secret`. Rows are never deleted: what ends is marked.
CREATE TABLE sign_in (
  id           TEXT    NOT NULL PRIMARY KEY,                         -- sso_…
  name         TEXT    NOT NULL,
  start_url    TEXT    NOT NULL,
  region       TEXT    NOT NULL,
  scopes       TEXT    NOT NULL,                                     -- parted by blanks
  signed_in_at INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,                                     -- of the access token
  is_renewable INTEGER NOT NULL CHECK (is_renewable IN (0, 1)),      -- 1: there is a refresh token
  client_ends  INTEGER NOT NULL,                                     -- when the registration of the client that signed in ends
  ended_at     INTEGER,
  end_reason   TEXT CHECK (end_reason IN ('signed-out', 'expired', 'replaced')),
  CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;
CREATE UNIQUE INDEX sign_in_live ON sign_in (name) WHERE ended_at IS NULL;

-- The vault as a client that IAM Identity Center knows, kept until the registration ends. Its secret is in `secret`.
CREATE TABLE sso_client (
  id         TEXT    NOT NULL PRIMARY KEY,                           -- cli_…
  start_url  TEXT    NOT NULL,
  region     TEXT    NOT NULL,
  scopes     TEXT    NOT NULL,
  flow       TEXT    NOT NULL CHECK (flow IN ('browser', 'device')),
  client_id  TEXT    NOT NULL,
  expires_at INTEGER NOT NULL,
  UNIQUE (start_url, region, scopes, flow)
) STRICT;

-- The secret of an access key's virtual MFA device (RFC 6238), for those who accept to keep it beside the key; sealed in `secret`.
CREATE TABLE totp (
  id         TEXT    NOT NULL PRIMARY KEY,                           -- otp_…
  mfa_serial TEXT    NOT NULL UNIQUE,                                -- the device, whichever key or role asks for it
  created_at INTEGER NOT NULL
) STRICT;

-- As before, for more owners.
CREATE TABLE secret_of_any (
  owner_table    TEXT    NOT NULL CHECK (owner_table IN ('session', 'access_key', 'sign_in', 'sso_client', 'totp')),
  owner_id       TEXT    NOT NULL,
  record_version INTEGER NOT NULL,
  key_id         BLOB    NOT NULL REFERENCES master_key (key_id),
  created_at     INTEGER NOT NULL,
  envelope       BLOB    NOT NULL,
  PRIMARY KEY (owner_table, owner_id)
) STRICT, WITHOUT ROWID;
INSERT INTO secret_of_any SELECT owner_table, owner_id, record_version, key_id, created_at, envelope FROM secret;
DROP TABLE secret;
ALTER TABLE secret_of_any RENAME TO secret;

-- What a profile waits for, where its last renewal failed and a person or time must help; null where nothing is wrong.
ALTER TABLE profile ADD COLUMN attention TEXT CHECK (attention IN ('needs-login', 'needs-mfa', 'failing'));
-- The name of the sign-in that its identity comes from.
ALTER TABLE profile ADD COLUMN sign_in TEXT;
-- How long its sessions are renewed unasked.
ALTER TABLE profile ADD COLUMN rotation TEXT NOT NULL DEFAULT 'used' CHECK (rotation IN ('always', 'used', 'off'));
CREATE INDEX profile_sign_in ON profile (sign_in) WHERE sign_in IS NOT NULL;
DROP INDEX profile_list;
CREATE INDEX profile_list ON profile (
  removed_at, name, kind, role_arn, problem, source, origin, session_expires_at, session_renews_at, attention
);
