-- Sections of credentials files that are kept fresh, for programs that read nothing else. The keys themselves are in those files alone.
CREATE TABLE credentials_link (
  path       TEXT    NOT NULL,                                       -- of the file
  section    TEXT    NOT NULL,                                       -- its name in the file
  profile    TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (path, section)
) STRICT, WITHOUT ROWID;

-- Failures are few: what is asked of one profile's or one role's is found at once, and the rows of every day cost nothing more.
CREATE INDEX audit_event_profile_outcome ON audit_event (profile, outcome, sequence) WHERE outcome <> 'success';
CREATE INDEX audit_event_role_outcome ON audit_event (role_arn, outcome, sequence) WHERE outcome <> 'success' AND role_arn IS NOT NULL;
