-- The audit logs of a team's laptops in one PostgreSQL (docs/team-audit.md). The database's owner runs this once, and once more after an
-- update of vault: what is there already is kept, and brought to this form.
--
--     vault audit ship --print-schema | psql --single-transaction -v ON_ERROR_STOP=1 postgresql://owner@HOST/DATABASE
--
-- It needs the right to create roles and a schema, and a database in UTF-8 that serves nothing else. There are no sequences, no triggers
-- and no extensions, and vault_id leads every key, so that it can be the distribution column (Citus) or the head of the ranges.

CREATE SCHEMA IF NOT EXISTS vault_audit;

-- Rights hang on these three; people and machines get logins that are members of one of them (vault_audit.admit).
DO $$
BEGIN
  IF to_regrole('vault_shipper') IS NULL THEN CREATE ROLE vault_shipper NOLOGIN; END IF;   -- adds rows of its own vaults, and reads those
  IF to_regrole('vault_reader') IS NULL THEN CREATE ROLE vault_reader NOLOGIN; END IF;     -- reads everything, changes nothing
  IF to_regrole('vault_enroller') IS NULL THEN CREATE ROLE vault_enroller NOLOGIN; END IF; -- says which laptop is whose (vault_audit.enroll)
END $$;
GRANT USAGE ON SCHEMA vault_audit TO vault_shipper, vault_reader, vault_enroller;

-- What everybody may by PostgreSQL's defaults, and nobody here needs: to connect, to make tables, and to fill the disk by them.
DO $$
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO vault_shipper, vault_reader, vault_enroller', current_database());
  REVOKE ALL ON SCHEMA vault_audit FROM PUBLIC;
END $$;
DO $$
BEGIN
  REVOKE CREATE ON SCHEMA public FROM PUBLIC;
  -- Large objects belong to whoever makes them, and have no limit.
  REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
EXCEPTION WHEN insufficient_privilege OR invalid_schema_name THEN
  RAISE NOTICE 'the right to make large objects, or tables in "public", is a superuser''s to take away';
END $$;

-- A laptop's vault, as it was when it first shipped. It belongs to the login that shipped it.
CREATE TABLE IF NOT EXISTS vault_audit.audit_vault (
  vault_id         text        NOT NULL PRIMARY KEY CHECK (length(vault_id) BETWEEN 5 AND 100),
  shipper          text        NOT NULL DEFAULT session_user,       -- the login whose rows these are
  host             text        NOT NULL,
  user_name        text        NOT NULL,
  public_key       bytea       CHECK (octet_length(public_key) = 32), -- signs the log's heads (Ed25519)
  first_shipped_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE vault_audit.audit_vault ALTER first_shipped_at SET DEFAULT clock_timestamp();

-- Which laptop is whose, as the owner or the lead says it: the id and the key that `vault audit enroll` printed on that laptop, and the
-- login that ships it. What is not in here anybody's login may have made up.
CREATE TABLE IF NOT EXISTS vault_audit.audit_enrolment (
  vault_id    text        NOT NULL PRIMARY KEY CHECK (length(vault_id) BETWEEN 5 AND 100),
  login       text        NOT NULL CHECK (octet_length(login) <= 63),
  public_key  bytea       NOT NULL CHECK (octet_length(public_key) = 32),
  enrolled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  enrolled_by text        NOT NULL DEFAULT session_user
);

-- A row of a laptop's log. `form` is the row itself, exactly as its hash goes over it (docs/audit-log.md, "The chain"):
-- hash = BLAKE2b-256(previous_hash || form). The columns behind it say the same again, for filters and joins; a text is at most 1,024
-- bytes there, and has U+FFFD for what PostgreSQL's text cannot hold. `vault audit verify --from` compares them with the form.
--
-- Two kinds of rows have no form: the root, sequence 0, which every log begins with (its hash is BLAKE2b-256 of the vault's id); and the
-- last of rows that were archived before they were shipped, which stands for all of them.
CREATE TABLE IF NOT EXISTS vault_audit.audit_event (
  vault_id             text        NOT NULL,
  sequence             bigint      NOT NULL,                         -- 1, 2, 3, … in each vault
  hash                 bytea       NOT NULL CHECK (octet_length(hash) = 32),
  previous_sequence    bigint,
  previous_hash        bytea       CHECK (octet_length(previous_hash) = 32),
  mac                  bytea       CHECK (octet_length(mac) = 32),   -- the code of the laptop's ratchet
  form                 bytea       CHECK (octet_length(form) BETWEEN 34 AND 1048576),
  received_at          timestamptz NOT NULL DEFAULT clock_timestamp(), -- by the server's clock
  "time"               timestamptz,
  id                   text,
  action               text,
  outcome              text,
  cause                text,
  profile              text,
  role_arn             text,
  role_session_name    text,
  source_identity      text,
  source_access_key_id text,
  access_key_id        text,
  issued_at            timestamptz,
  expires_at           timestamptz,
  request_id           text,
  error                text,
  session_id           text,
  intent_id            text,
  user_name            text,
  program              text,
  host                 text,
  automation           text,                                         -- the name given to `exec --automation`
  run                  text,                                         -- run_…
  PRIMARY KEY (vault_id, sequence),
  UNIQUE (vault_id, sequence, hash),
  -- The server takes no row but one that follows the row before it: no gap, no fork, no second history.
  FOREIGN KEY (vault_id, previous_sequence, previous_hash) REFERENCES vault_audit.audit_event (vault_id, sequence, hash),
  CHECK (CASE
    WHEN sequence = 0 THEN previous_sequence IS NULL AND previous_hash IS NULL AND form IS NULL
    WHEN form IS NULL THEN previous_sequence IS NOT NULL AND previous_hash IS NOT NULL AND previous_sequence BETWEEN 0 AND sequence - 1
    ELSE previous_sequence IS NOT NULL AND previous_hash IS NOT NULL AND previous_sequence = sequence - 1 AND sequence > 0 END),
  CHECK ((form IS NULL) = (mac IS NULL)),
  CHECK (form IS NULL OR ("time" IS NOT NULL AND id IS NOT NULL AND action IS NOT NULL AND outcome IS NOT NULL AND cause IS NOT NULL
    AND user_name IS NOT NULL AND program IS NOT NULL AND host IS NOT NULL))
);
ALTER TABLE vault_audit.audit_event ALTER received_at SET DEFAULT clock_timestamp();
-- Rows of an earlier version have neither.
ALTER TABLE vault_audit.audit_event ADD COLUMN IF NOT EXISTS automation text, ADD COLUMN IF NOT EXISTS run text;
CREATE INDEX IF NOT EXISTS audit_event_automation ON vault_audit.audit_event (automation, "time") WHERE automation IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_event_run ON vault_audit.audit_event (run) WHERE run IS NOT NULL;
-- Reports go by this time: a row that says it is of a day to come stands where it was received, and pushes no other out of a page.
CREATE INDEX IF NOT EXISTS audit_event_when ON vault_audit.audit_event ((least("time", received_at))) WHERE form IS NOT NULL;
DROP INDEX IF EXISTS vault_audit.audit_event_time;
CREATE INDEX IF NOT EXISTS audit_event_role ON vault_audit.audit_event (role_arn, "time") WHERE role_arn IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_event_key ON vault_audit.audit_event (access_key_id) WHERE access_key_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_event_intent ON vault_audit.audit_event (vault_id, intent_id) WHERE intent_id IS NOT NULL;

-- Signed checkpoints: which row, its hash, when, by which key (docs/audit-log.md, "Checkpoints"). The row must exist.
CREATE TABLE IF NOT EXISTS vault_audit.audit_checkpoint (
  vault_id   text   NOT NULL,
  sequence   bigint NOT NULL,
  hash       bytea  NOT NULL,
  signed_at  bigint NOT NULL,                                        -- ms since 1970 UTC, as it was signed
  public_key bytea  NOT NULL CHECK (octet_length(public_key) = 32),
  signature  bytea  NOT NULL CHECK (octet_length(signature) = 64),
  PRIMARY KEY (vault_id, sequence, signature),
  FOREIGN KEY (vault_id, sequence, hash) REFERENCES vault_audit.audit_event (vault_id, sequence, hash)
);

-- How long a text and how large a number may be. Rows that are there already are not looked at again.
ALTER TABLE vault_audit.audit_vault DROP CONSTRAINT IF EXISTS audit_vault_limits, ADD CONSTRAINT audit_vault_limits
  CHECK (greatest(octet_length(vault_id), octet_length(host), octet_length(user_name)) <= 1024) NOT VALID;
ALTER TABLE vault_audit.audit_event DROP CONSTRAINT IF EXISTS audit_event_limits, ADD CONSTRAINT audit_event_limits
  CHECK (sequence BETWEEN 0 AND 1000000000000 AND greatest(octet_length(id), octet_length(action), octet_length(outcome), octet_length(cause),
    octet_length(profile), octet_length(role_arn), octet_length(role_session_name), octet_length(source_identity),
    octet_length(source_access_key_id), octet_length(access_key_id), octet_length(request_id), octet_length(error),
    octet_length(session_id), octet_length(intent_id), octet_length(user_name), octet_length(program), octet_length(host),
    octet_length(automation), octet_length(run), 0) <= 1024) NOT VALID;
ALTER TABLE vault_audit.audit_checkpoint DROP CONSTRAINT IF EXISTS audit_checkpoint_limits, ADD CONSTRAINT audit_checkpoint_limits
  CHECK (signed_at BETWEEN 0 AND 253402300799999) NOT VALID;

-- Whether the login may bring a vault that the server does not know: one that is enrolled for it, with that key, or one of a few that
-- nobody enrolled. It runs as the owner, who sees the other logins' vaults.
CREATE OR REPLACE FUNCTION vault_audit.may_bring(id text, key bytea) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  enrolled vault_audit.audit_enrolment%ROWTYPE;
BEGIN
  SELECT * INTO enrolled FROM vault_audit.audit_enrolment e WHERE e.vault_id = id;
  IF FOUND THEN RETURN enrolled.login = session_user AND enrolled.public_key IS NOT DISTINCT FROM key; END IF;
  RETURN (SELECT count(*) FROM (SELECT 1 FROM vault_audit.audit_vault v WHERE v.shipper = session_user
    AND NOT EXISTS (SELECT 1 FROM vault_audit.audit_enrolment e WHERE e.vault_id = v.vault_id) LIMIT 20) AS brought) < 20;
END $$;
REVOKE ALL ON FUNCTION vault_audit.may_bring(text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vault_audit.may_bring(text, bytea) TO vault_shipper;

-- Enrols a laptop: SELECT vault_audit.enroll('alice', 'vlt_… 64 hexadecimal digits'). The second is the line of `vault audit enroll`.
CREATE OR REPLACE FUNCTION vault_audit.enroll(login text, line text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  words text[] := regexp_match(line, '^\s*(\S{5,100})\s+([0-9a-f]{64})\s*$');
  known vault_audit.audit_vault%ROWTYPE;
BEGIN
  IF words IS NULL THEN RAISE EXCEPTION 'not the line that `vault audit enroll` prints: %', left(line, 200); END IF;
  IF NOT EXISTS (SELECT 1 FROM pg_roles r WHERE r.rolname = enroll.login) THEN RAISE EXCEPTION 'there is no login "%"', login; END IF;
  SELECT * INTO known FROM vault_audit.audit_vault v WHERE v.vault_id = words[1];
  IF FOUND AND known.public_key IS NOT NULL AND known.public_key <> decode(words[2], 'hex') THEN
    RAISE EXCEPTION '% was shipped by the login "%" with another key: look at that log first, and set it aside', words[1], known.shipper;
  END IF;
  INSERT INTO vault_audit.audit_enrolment AS e (vault_id, login, public_key) VALUES (words[1], login, decode(words[2], 'hex'))
    ON CONFLICT (vault_id) DO UPDATE SET login = excluded.login, public_key = excluded.public_key, enrolled_at = clock_timestamp(),
      enrolled_by = session_user;
  UPDATE vault_audit.audit_vault v SET shipper = enroll.login, public_key = decode(words[2], 'hex') WHERE v.vault_id = words[1];
  RETURN format('%s is %s''s', words[1], login);
END $$;
REVOKE ALL ON FUNCTION vault_audit.enroll(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vault_audit.enroll(text, text) TO vault_enroller;

-- Admits a login: SELECT vault_audit.admit('alice', 'vault_shipper'). Nobody but who may create roles can. A login can lift the time limits
-- for a session of its own; the number of connections and the size of temporary files it cannot.
CREATE OR REPLACE FUNCTION vault_audit.admit(login text, role text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF role NOT IN ('vault_shipper', 'vault_reader', 'vault_enroller') THEN RAISE EXCEPTION 'no such role here: "%"', role; END IF;
  EXECUTE format('GRANT %I TO %I', role, login);
  EXECUTE format('ALTER ROLE %I CONNECTION LIMIT 4', login);
  EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', login, CASE role WHEN 'vault_reader' THEN '30min' ELSE '5min' END);
  EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', login, CASE role WHEN 'vault_reader' THEN '10min' ELSE '1min' END);
  EXECUTE format('ALTER ROLE %I SET lock_timeout = %L', login, '30s');
  BEGIN
    EXECUTE format('ALTER ROLE %I SET temp_file_limit = %L', login, CASE role WHEN 'vault_reader' THEN '8GB' ELSE '64MB' END);
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;
  RETURN format('%s may what %s may', login, role);
END $$;
REVOKE ALL ON FUNCTION vault_audit.admit(text, text) FROM PUBLIC;

-- Nobody but the owner may change or delete; a login sees and adds to only the vaults that it shipped first, or that are enrolled for it.
-- Whose a vault is, and when a row came, are the server's own words: no INSERT may name those columns.
REVOKE ALL ON vault_audit.audit_vault, vault_audit.audit_event, vault_audit.audit_checkpoint, vault_audit.audit_enrolment
  FROM PUBLIC, vault_shipper, vault_reader, vault_enroller;
GRANT SELECT ON vault_audit.audit_vault, vault_audit.audit_event, vault_audit.audit_checkpoint, vault_audit.audit_enrolment
  TO vault_shipper, vault_reader;
GRANT INSERT (vault_id, host, user_name, public_key) ON vault_audit.audit_vault TO vault_shipper;
GRANT INSERT (vault_id, sequence, hash, previous_sequence, previous_hash, mac, form, "time", id, action, outcome, cause, profile, role_arn,
  role_session_name, source_identity, source_access_key_id, access_key_id, issued_at, expires_at, request_id, error, session_id, intent_id,
  user_name, program, host, automation, run) ON vault_audit.audit_event TO vault_shipper;
GRANT INSERT (vault_id, sequence, hash, signed_at, public_key, signature) ON vault_audit.audit_checkpoint TO vault_shipper;

ALTER TABLE vault_audit.audit_vault ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_sees ON vault_audit.audit_vault;
CREATE POLICY own_sees ON vault_audit.audit_vault FOR SELECT TO vault_shipper USING (shipper = session_user);
DROP POLICY IF EXISTS own_adds ON vault_audit.audit_vault;
CREATE POLICY own_adds ON vault_audit.audit_vault FOR INSERT TO vault_shipper
  WITH CHECK (shipper = session_user AND vault_audit.may_bring(vault_id, public_key));
DROP POLICY IF EXISTS all_seen ON vault_audit.audit_vault;
CREATE POLICY all_seen ON vault_audit.audit_vault FOR SELECT TO vault_reader USING (true);

ALTER TABLE vault_audit.audit_enrolment ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_sees ON vault_audit.audit_enrolment;
CREATE POLICY own_sees ON vault_audit.audit_enrolment FOR SELECT TO vault_shipper USING (login = session_user);
DROP POLICY IF EXISTS all_seen ON vault_audit.audit_enrolment;
CREATE POLICY all_seen ON vault_audit.audit_enrolment FOR SELECT TO vault_reader USING (true);

ALTER TABLE vault_audit.audit_event ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_sees ON vault_audit.audit_event;
CREATE POLICY own_sees ON vault_audit.audit_event FOR SELECT TO vault_shipper
  USING (vault_id IN (SELECT v.vault_id FROM vault_audit.audit_vault v WHERE v.shipper = session_user));
DROP POLICY IF EXISTS own_adds ON vault_audit.audit_event;
CREATE POLICY own_adds ON vault_audit.audit_event FOR INSERT TO vault_shipper
  WITH CHECK (vault_id IN (SELECT v.vault_id FROM vault_audit.audit_vault v WHERE v.shipper = session_user));
DROP POLICY IF EXISTS all_seen ON vault_audit.audit_event;
CREATE POLICY all_seen ON vault_audit.audit_event FOR SELECT TO vault_reader USING (true);

ALTER TABLE vault_audit.audit_checkpoint ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_sees ON vault_audit.audit_checkpoint;
CREATE POLICY own_sees ON vault_audit.audit_checkpoint FOR SELECT TO vault_shipper
  USING (vault_id IN (SELECT v.vault_id FROM vault_audit.audit_vault v WHERE v.shipper = session_user));
DROP POLICY IF EXISTS own_adds ON vault_audit.audit_checkpoint;
-- By the key that the vault came with, where it came with one.
CREATE POLICY own_adds ON vault_audit.audit_checkpoint FOR INSERT TO vault_shipper
  WITH CHECK (EXISTS (SELECT 1 FROM vault_audit.audit_vault v WHERE v.vault_id = audit_checkpoint.vault_id AND v.shipper = session_user
    AND coalesce(v.public_key = audit_checkpoint.public_key, true)));
DROP POLICY IF EXISTS all_seen ON vault_audit.audit_checkpoint;
CREATE POLICY all_seen ON vault_audit.audit_checkpoint FOR SELECT TO vault_reader USING (true);
