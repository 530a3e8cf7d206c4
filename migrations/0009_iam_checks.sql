-- What `vault iam check` found last for a profile. It shows what was; nothing is decided by it.
CREATE TABLE iam_check (
  profile_id INTEGER NOT NULL PRIMARY KEY REFERENCES profile (id),
  checked_at INTEGER NOT NULL,
  findings   TEXT    NOT NULL                                        -- JSON, as `vault iam check --format json` prints them
) STRICT;
