-- The audit logs of a team's laptops in one PostgreSQL (docs/team-audit.md). The database's owner runs this once:
--
--     vault audit ship --print-schema | psql --single-transaction -v ON_ERROR_STOP=1 postgresql://owner@HOST/DATABASE
--
-- It needs the right to create roles and a schema, and a database in UTF-8. There are no sequences, no triggers, no extensions and no
-- functions, and vault_id leads every key, so that it can be the distribution column (Citus) or the head of the ranges (CockroachDB).

CREATE SCHEMA vault_audit;

-- Rights hang on these two; people and machines get logins that are members of one of them.
CREATE ROLE vault_shipper NOLOGIN;                                   -- adds rows of its own vaults, and reads those
CREATE ROLE vault_reader NOLOGIN;                                    -- reads everything, changes nothing
GRANT USAGE ON SCHEMA vault_audit TO vault_shipper, vault_reader;

-- A laptop's vault, as it was when it first shipped. It belongs to the login that shipped it.
CREATE TABLE vault_audit.audit_vault (
  vault_id         text        NOT NULL PRIMARY KEY CHECK (length(vault_id) BETWEEN 5 AND 100),
  shipper          text        NOT NULL DEFAULT session_user,        -- the login whose rows these are
  host             text        NOT NULL,
  user_name        text        NOT NULL,
  public_key       bytea       CHECK (octet_length(public_key) = 32), -- signs the log's heads (Ed25519)
  first_shipped_at timestamptz NOT NULL DEFAULT now()
);

-- A row of a laptop's log. `form` is the row itself, exactly as its hash goes over it (docs/audit-log.md, "The chain"):
-- hash = BLAKE2b-256(previous_hash || form). The columns behind it say the same again, for filters and joins; a text is at most 1,024
-- bytes there, and has U+FFFD for what PostgreSQL's text cannot hold. `vault audit verify --from` compares them with the form.
--
-- Two kinds of rows have no form: the root, sequence 0, which every log begins with (its hash is BLAKE2b-256 of the vault's id); and the
-- last of rows that were archived before they were shipped, which stands for all of them.
CREATE TABLE vault_audit.audit_event (
  vault_id             text        NOT NULL,
  sequence             bigint      NOT NULL,                         -- 1, 2, 3, … in each vault
  hash                 bytea       NOT NULL CHECK (octet_length(hash) = 32),
  previous_sequence    bigint,
  previous_hash        bytea       CHECK (octet_length(previous_hash) = 32),
  mac                  bytea       CHECK (octet_length(mac) = 32),   -- the code of the laptop's ratchet
  form                 bytea       CHECK (octet_length(form) BETWEEN 34 AND 1048576),
  received_at          timestamptz NOT NULL DEFAULT now(),           -- by the server's clock
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
CREATE INDEX audit_event_time ON vault_audit.audit_event ("time") WHERE form IS NOT NULL;
CREATE INDEX audit_event_role ON vault_audit.audit_event (role_arn, "time") WHERE role_arn IS NOT NULL;
CREATE INDEX audit_event_key ON vault_audit.audit_event (access_key_id) WHERE access_key_id IS NOT NULL;
CREATE INDEX audit_event_intent ON vault_audit.audit_event (vault_id, intent_id) WHERE intent_id IS NOT NULL;

-- Signed heads: which row, its hash, when, by which key (docs/audit-log.md, "Heads"). One can only be of a row that is there.
CREATE TABLE vault_audit.audit_checkpoint (
  vault_id   text   NOT NULL,
  sequence   bigint NOT NULL,
  hash       bytea  NOT NULL,
  signed_at  bigint NOT NULL,                                        -- ms since 1970 UTC, as it was signed
  public_key bytea  NOT NULL CHECK (octet_length(public_key) = 32),
  signature  bytea  NOT NULL CHECK (octet_length(signature) = 64),
  PRIMARY KEY (vault_id, sequence, signature),
  FOREIGN KEY (vault_id, sequence, hash) REFERENCES vault_audit.audit_event (vault_id, sequence, hash)
);

-- Nobody but the owner may change or delete; a login sees and adds to only the vaults that it shipped first.
GRANT INSERT, SELECT ON vault_audit.audit_vault, vault_audit.audit_event, vault_audit.audit_checkpoint TO vault_shipper;
GRANT SELECT ON vault_audit.audit_vault, vault_audit.audit_event, vault_audit.audit_checkpoint TO vault_reader;

ALTER TABLE vault_audit.audit_vault ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_sees ON vault_audit.audit_vault FOR SELECT TO vault_shipper USING (shipper = session_user);
-- Whose a vault is, and when a row came, are the server's own words: no INSERT may say otherwise.
CREATE POLICY own_adds ON vault_audit.audit_vault FOR INSERT TO vault_shipper
  WITH CHECK (shipper = session_user AND first_shipped_at = now());
CREATE POLICY all_seen ON vault_audit.audit_vault FOR SELECT TO vault_reader USING (true);

ALTER TABLE vault_audit.audit_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_sees ON vault_audit.audit_event FOR SELECT TO vault_shipper
  USING (vault_id IN (SELECT v.vault_id FROM vault_audit.audit_vault v WHERE v.shipper = session_user));
CREATE POLICY own_adds ON vault_audit.audit_event FOR INSERT TO vault_shipper
  WITH CHECK (received_at = now() AND vault_id IN (SELECT v.vault_id FROM vault_audit.audit_vault v WHERE v.shipper = session_user));
CREATE POLICY all_seen ON vault_audit.audit_event FOR SELECT TO vault_reader USING (true);

ALTER TABLE vault_audit.audit_checkpoint ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_sees ON vault_audit.audit_checkpoint FOR SELECT TO vault_shipper
  USING (vault_id IN (SELECT v.vault_id FROM vault_audit.audit_vault v WHERE v.shipper = session_user));
CREATE POLICY own_adds ON vault_audit.audit_checkpoint FOR INSERT TO vault_shipper
  WITH CHECK (vault_id IN (SELECT v.vault_id FROM vault_audit.audit_vault v WHERE v.shipper = session_user));
CREATE POLICY all_seen ON vault_audit.audit_checkpoint FOR SELECT TO vault_reader USING (true);
