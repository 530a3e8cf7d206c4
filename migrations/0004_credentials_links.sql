-- Sections of credentials files that are kept fresh, for programs that read nothing else. The keys themselves are in those files alone.
CREATE TABLE credentials_link (
  path       TEXT    NOT NULL,                                       -- of the file
  section    TEXT    NOT NULL,                                       -- its name in the file
  profile    TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (path, section)
) STRICT, WITHOUT ROWID;
