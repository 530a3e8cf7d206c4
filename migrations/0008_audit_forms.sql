-- Each row of the audit log says by which version of the canonical form it is hashed, so that a column can be added and older rows
-- still verify. What caused a row has one name everywhere: trigger.

ALTER TABLE audit_event RENAME COLUMN cause TO trigger;
ALTER TABLE audit_event ADD COLUMN form_version INTEGER NOT NULL DEFAULT 2;

DROP TRIGGER audit_event_never_changed;
CREATE TRIGGER audit_event_never_changed BEFORE UPDATE OF
  sequence, id, time, action, outcome, trigger, profile, role_arn, role_session_name, source_identity, source_access_key_id, access_key_id,
  issued_at, expires_at, duration_seconds, mfa, request_id, endpoint, reason, error, detail, session_id, intent_id, user, uid, pid, program,
  executable, directory, parent, host, subject, subject_version, previous_hash, hash, form_version
ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
