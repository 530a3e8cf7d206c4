-- Indexes cost a delivery a page of the write-ahead log each, which is most of what it costs. So they take rows in by the dozen: a row is
-- `pending` until then, and who looks for rows by such an index looks through the pending ones, which are the newest, one by one.

ALTER TABLE audit_event ADD COLUMN pending INTEGER CHECK (pending = 1);  -- null once the indexes below have the row
CREATE TRIGGER audit_event_indexed_once BEFORE UPDATE OF pending ON audit_event WHEN OLD.pending IS NULL
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

DROP INDEX audit_event_profile;
DROP INDEX audit_event_role;
DROP INDEX audit_event_session;
DROP INDEX audit_event_time;
DROP INDEX audit_event_user;
CREATE INDEX audit_event_profile ON audit_event (profile, sequence) WHERE pending IS NULL;
CREATE INDEX audit_event_role ON audit_event (role_arn, sequence) WHERE role_arn IS NOT NULL AND pending IS NULL;
CREATE INDEX audit_event_session ON audit_event (session_id, sequence) WHERE session_id IS NOT NULL AND pending IS NULL;
CREATE INDEX audit_event_time ON audit_event (time) WHERE pending IS NULL;
CREATE INDEX audit_event_user ON audit_event (user, sequence) WHERE pending IS NULL;

-- Nearly all rows are deliveries: who asks for them finds them without an index, and the others stay few.
DROP INDEX audit_event_action;
CREATE INDEX audit_event_action ON audit_event (action, sequence) WHERE action <> 'Deliver';
