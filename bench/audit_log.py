#!/usr/bin/env python3
"""Makes a vault whose audit log has many rows of believable life: for the figures of the reports, and for their tests.

usage: audit_log.py FOLDER ROWS [--days N] [--seed N] [--now MS] [--hostile] [--vault ID] [--host NAME] [--codes]
                    [--form 2|3] [--runs SHARE]

The database is made of `migrations/`. The chain is a true one, made as docs/audit-log.md says, so that `vault audit verify` proves it and is
itself proven by it; there are no codes and no signed heads, since no agent wrote it, but with `--codes`, which also writes the key for
them to `auditor.key`, signs heads by a key that the vault's id makes, and makes no row more than it is told to. `--vault` and `--host` make it another laptop's. `--form 2` leaves out the
parents of programs, as versions did before them; of the others, `--runs 0.01` has one in a hundred in a tree of `exec --automation`, and one in a thousand by an agent outside of one. `--hostile` puts what attacks terminals, spreadsheets, browsers and
parsers in every column that takes text.
"""

import argparse
import hashlib
import pathlib
import random
import sqlite3
import struct
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOUR = 3_600_000
ACCOUNT = "123456789012"
# name, role (None: the identity itself), share of the work; those without a share are never used.
PROFILES = [
    ("alice", None, 4), ("app-dev", "my-application-dev-role", 40), ("app-dev-reports", "my-application-reports-role", 14),
    ("app-staging", "my-application-staging-role", 12), ("app-prod", "my-application-prod-role", 6),
    ("app-prod-readonly", "my-application-readonly-role", 10), ("billing", "billing-viewer", 2), ("data-lake", "data-lake-etl", 9),
    ("network", "network-admin", 1), ("audit-archive", "audit-archive-writer", 0), ("old-sandbox", "sandbox-admin", 0),
    ("partner", "partner-access", 0), ("partner-too", "partner-access", 1),
]
USERS = [("alice", 1000, "laptop", 6), ("bob", 1001, "build-7", 3), ("carol", 1002, "laptop-carol", 2)]
PROGRAMS = [("aws", 10), ("terraform", 6), ("./run", 5), ("python3", 4), ("docker", 2), ("psql", 1)]
ERRORS = [
    ("refused", "AssumeRole: AccessDenied: User: arn:aws:iam::123456789012:user/alice is not authorized to perform: sts:AssumeRole"),
    ("failure", "AssumeRole: cannot reach sts.us-east-1.amazonaws.com (timed out)"),
    ("failure", "AssumeRole: Throttling: Rate exceeded"),
    ("refused", "AssumeRole: ExpiredToken: The security token included in the request is expired"),
]
HOSTILE = [
    "\x1b]0;owned\x07\x1b[2J", "line\nbreak\r\nand\ttab", "\u202eltr\u2066bidi\u200b\ufeff", "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script><!--", "=cmd|' /C calc'!A0", "+1+1", "@SUM(A1)", "-2+3", "a|b=c\\d|", "\\", "\"quoted\", too",
    "'; DROP TABLE audit_event; --", "{{7*7}}${7*7}", "\u2028separator\u2029", "nul-free \x01\x7f\x9b31m", "&lt;&amp;", "ü€😀", "",
    "x" * 3_000, "]]>", "cs1=forged suser=root", "%0aforged", "\U000e0041tag", "CEF:0|x|y", "' onload='x", "`id`$(id)",
]


def schema(database):
    files = sorted((ROOT / "migrations").glob("*.sql"))
    for file in files:
        database.executescript(file.read_text())
    database.execute(f"PRAGMA user_version = {len(files)}")


LATER = ["parents", "automation", "run", "root_pid", "scope"]


def hashed(columns, version):
    """The columns of a form, in its order."""
    return columns[: columns.index("subject_version") + 1] + (LATER if version > 2 else [])


def form(version, values):
    """The canonical form of a row (docs/audit-log.md)."""
    pieces = [bytes([version])]
    for value in values:
        if value is None:
            pieces.append(b"\x00")
        elif isinstance(value, str):
            text = value.encode()
            pieces.append(b"\x01" + struct.pack(">I", len(text)) + text)
        else:
            pieces.append(b"\x02" + struct.pack(">q", value))
    return b"".join(pieces)


class Signer:
    """Ed25519, as RFC 8032 has it in its section 6."""

    P = 2**255 - 19
    L = 2**252 + 27742317777372353535851937790883648493
    D = -121665 * pow(121666, P - 2, P) % P
    Y = 4 * pow(5, P - 2, P) % P
    X = 15112221349535400772501151409588531511454012693041857206046113283949847762202

    def __init__(self, seed):
        digest = hashlib.sha512(seed).digest()
        self.scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
        self.prefix = digest[32:]
        self.public = self.times(self.scalar)

    def sign(self, message):
        r = self.number(self.prefix + message)
        point = self.times(r)
        return point + ((r + self.number(point + self.public + message) * self.scalar) % self.L).to_bytes(32, "little")

    def number(self, message):
        return int.from_bytes(hashlib.sha512(message).digest(), "little") % self.L

    def add(self, one, two):
        a, b = (one[1] - one[0]) * (two[1] - two[0]) % self.P, (one[1] + one[0]) * (two[1] + two[0]) % self.P
        c, d = 2 * one[3] * two[3] * self.D % self.P, 2 * one[2] * two[2] % self.P
        e, f, g, h = b - a, d - c, d + c, b + a
        return e * f % self.P, g * h % self.P, f * g % self.P, e * h % self.P

    def times(self, number):
        point, base = (0, 1, 1, 0), (self.X, self.Y, 1, self.X * self.Y % self.P)
        while number:
            if number & 1:
                point = self.add(point, base)
            base, number = self.add(base, base), number >> 1
        inverse = pow(point[2], self.P - 2, self.P)
        return (point[1] * inverse % self.P | (point[0] * inverse % self.P & 1) << 255).to_bytes(32, "little")


class Full(Exception):
    """There are as many rows as there are to be."""


class Log:
    """Rows as the agent would write them, in the order of time."""

    def __init__(self, database, chance, hostile, host=None, key=None, most=None, version=3, runs=0):
        self.version, self.runs, self.run = version, runs, None
        # Of its own: what else happens is the same with runs and without.
        self.dice = random.Random(7)
        self.most = most
        self.database, self.chance, self.hostile, self.host, self.key = database, chance, hostile, host, key
        columns = [row[1] for row in database.execute("PRAGMA table_info(audit_event)")]
        self.columns = columns
        self.empty = dict.fromkeys(columns)
        self.insert = f"INSERT INTO audit_event ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        self.texts = [c for c in columns if c not in NOT_TEXT]
        self.sequence = 0
        self.waiting = []
        self.bound = hashed(columns, version)
        if version < 3:
            self.texts = [c for c in self.texts if c not in LATER]
        (vault,) = database.execute("SELECT id FROM vault").fetchone()
        self.vault = vault
        self.head = hashlib.blake2b(b"vault-audit-2\n" + vault.encode(), digest_size=32).digest()
        self.signer = key and Signer(hashlib.sha256(vault.encode()).digest())
        if self.signer:
            database.execute(
                "INSERT INTO audit_key (name, sequence, first, public_key, is_anchored, key_id, created_at, envelope)"
                " VALUES ('signing', 1, 1, ?, 0, x'00', 0, x'00')", (self.signer.public,))

    def name(self, prefix):
        return prefix + "_" + "".join(self.chance.choices("abcdefghijkmnpqrstuvwxyz23456789", k=16))

    def add(self, at, action, outcome="success", trigger="exec", who=USERS[0], program="aws", **more):
        if self.sequence == self.most:
            raise Full
        self.sequence += 1
        user, uid, host = who[:3]
        row = dict(
            self.empty, sequence=self.sequence, id=self.name("evt"), time=int(at), action=action, outcome=outcome, trigger=trigger, mfa=0, form_version=self.version,
            user=user, uid=uid, pid=self.chance.randrange(2_000, 90_000), program=program, executable="/usr/local/bin/vault",
            directory=f"/home/{user}/src/my-application", parent="/usr/bin/bash", host=host)
        row.update(more)
        if self.version > 2 and program != "vaultd":
            row.update(self.tree(int(at), action, program))
        row["host"] = self.host or host
        if self.hostile:
            for number, column in enumerate(self.texts):
                row[column] = HOSTILE[(self.sequence + number) % len(HOSTILE)]
        row["previous_hash"] = self.head
        self.head = row["hash"] = hashlib.blake2b(self.head + form(self.version, (row[c] for c in self.bound)), digest_size=32).digest()
        if self.key:
            row["mac"] = hashlib.blake2b(b"vault-mac-1" + struct.pack(">q", self.sequence) + self.head, key=self.key, digest_size=32).digest()
            self.key = hashlib.blake2b(b"vault-next-1", key=self.key, digest_size=32).digest()
            if self.sequence % 4_096 == 0 or self.sequence == self.most:
                self.sign(int(at))
        self.waiting.append([row[column] for column in self.columns])
        if len(self.waiting) == 10_000:
            self.flush()
        return row["id"]

    def tree(self, at, action, program):
        """The processes above a program: an editor's terminal, or a coding agent in a run of its own."""
        dice = self.dice
        shell = dice.randrange(2_000, 90_000)
        chain = [("/usr/bin/zsh", shell), ("/usr/bin/tmux", 1_961), ("/usr/lib/systemd/systemd", 1_204), ("/usr/lib/systemd/systemd", 1)]
        found = {}
        if self.runs and dice.random() < self.runs:
            if self.run is None or dice.random() < 0.02:
                self.run = (dice.choice(["claude", "aider", "watcher"]), "run_%016x" % dice.getrandbits(64), dice.randrange(2_000, 90_000))
            name, run, root = self.run
            chain = [("/usr/bin/bash", shell), ("/usr/bin/node", root + 1), ("/usr/local/bin/vault", root)] + chain
            found = dict(automation=name, run=run, root_pid=root)
            if action in ("AssumeRole", "Deliver"):
                found["scope"] = '{"policyArns":["arn:aws:iam::aws:policy/ReadOnlyAccess"],"policyDigest":null,"readOnly":true,"tags":{}}'
        elif self.runs and dice.random() < self.runs / 10:
            # An agent outside of a run: its own word.
            found = dict(automation="CLAUDECODE")
        pieces = ",".join('{"executable":"%s","pid":%d}' % process for process in chain)
        return dict(found, parents=f"[{pieces}]")

    def sign(self, at):
        text = f"vault-checkpoint-1\n{self.vault}\n{self.sequence}\n{self.head.hex()}\n{at}\n"
        self.database.execute(
            "INSERT INTO audit_checkpoint (sequence, hash, signed_at, public_key, signature) VALUES (?, ?, ?, ?, ?)",
            (self.sequence, self.head, at, self.signer.public, self.signer.sign(text.encode())))

    def flush(self):
        self.database.executemany(self.insert, self.waiting)
        self.waiting = []


NOT_TEXT = {
    "sequence", "id", "time", "action", "outcome", "trigger", "issued_at", "expires_at", "duration_seconds", "mfa", "uid", "pid", "hash",
    "previous_hash", "mac", "pending", "form_version", "subject", "subject_version", "intent_id",
    "root_pid",
}


class Life:
    """What people do: sessions that are made, handed out, renewed, and end."""

    def __init__(self, database, log, chance, hostile):
        self.database, self.log, self.chance = database, log, chance
        self.live, self.ids = {}, {}
        for number, (name, role, _) in enumerate(PROFILES, 1):
            if hostile:
                name, role = HOSTILE[number] + str(number), role and HOSTILE[number + 3] + str(number)
            arn = role and f"arn:aws:iam::{ACCOUNT}:role/{role}"
            self.ids[number - 1] = (number, name, arn)
            database.execute(
                "INSERT INTO profile (id, name, is_own, origin, kind, role_arn, source, digest) VALUES (?, ?, 0, '~/.aws/config', ?, ?, ?, x'00')",
                (number, name, "assume-role" if arn else "keys", arn, "alice" if arn else None))

    def step(self, at):
        """A program is run."""
        chance, log = self.chance, self.log
        which = chance.choices(range(len(PROFILES)), [p[2] for p in PROFILES])[0]
        who = chance.choices(USERS, [u[3] for u in USERS])[0]
        program = chance.choices([p[0] for p in PROGRAMS], [p[1] for p in PROGRAMS])[0]
        self.end(at)
        if chance.random() < 0.004:
            log.add(at, "Locked", trigger="manual", who=who, program="vault")
            log.add(at + 9_000, "Unlocked", trigger="manual", who=who, program="vault")
        if chance.random() < 0.01:
            log.add(at, "CreateToken", trigger="manual", who=who, program="vault", endpoint="oidc.eu-west-1.amazonaws.com", detail="my-sso")
        session = self.live.get(which)
        if session is None or session["renews"] <= at:
            renews = session is not None and chance.random() < 0.8
            session = self.assume(which, at, who, "vaultd" if renews else program, "rotation" if renews else "exec") or session
        if session is None or session["expires"] <= at:
            return
        session["deliveries"] += chance.random() < 0.95
        _, name, arn = self.ids[which]
        log.add(
            at + 200, "Deliver", trigger="exec", who=who, program=program, profile=name, role_arn=arn, session_id=session["id"],
            role_session_name=f"{who[0]}@{who[2]}", access_key_id=session["key"], issued_at=session["issued"], expires_at=session["expires"])

    def assume(self, which, at, who, program, trigger):
        chance, log = self.chance, self.log
        number, name, arn = self.ids[which]
        action = "AssumeRole" if arn else "GetSessionToken"
        common = dict(
            trigger=trigger, who=who, program=program, profile=name, role_arn=arn, role_session_name=f"{who[0]}@{who[2]}",
            source_access_key_id="AKIAIOSFODNN7EXAMPLE", duration_seconds=3_600, endpoint="sts.us-east-1.amazonaws.com",
            mfa=int(name == "app-prod"))
        intent = log.add(at, action, "intent", **common)
        request = "%08x-%04x-4%03x-8%03x-%012x" % tuple(chance.getrandbits(bits) for bits in (32, 16, 12, 12, 48))
        if chance.random() < 0.05:
            outcome, error = chance.choices(ERRORS, [6, 3, 2, 1])[0]
            log.add(at + 150, action, outcome, error=error, request_id=request, intent_id=intent, **common)
            return None
        life = chance.choice([1, 1, 1, 1, 4, 8]) * HOUR if arn else 12 * HOUR
        session = {
            "id": log.name("ses"), "key": "ASIA" + "".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16)), "issued": int(at),
            "expires": int(at) + life, "renews": int(at) + life - life // 3, "deliveries": 0, "profile": number, "role": arn,
        }
        old = self.live.get(which)
        if old:
            reason = "expired" if old["expires"] <= at else "replaced"
            self.close(old, at, reason, session["id"])
        self.live[which] = session
        log.add(
            at + 150, action, request_id=request, intent_id=intent, session_id=session["id"], access_key_id=session["key"],
            issued_at=session["issued"], expires_at=session["expires"], **common)
        return session

    def end(self, at):
        for which, session in list(self.live.items()):
            if session["expires"] + HOUR < at:
                self.close(session, session["expires"] + HOUR, "expired")
                del self.live[which]

    def close(self, session, at=None, reason=None, by=None):
        self.database.execute(
            "INSERT INTO session (id, profile_id, kind, fingerprint, role_arn, role_session_name, access_key_id, issued_at, expires_at, renews_at,"
            " ended_at, end_reason, replaced_by, deliveries, last_used_at) VALUES (?, ?, ?, 'f', ?, 'alice@laptop', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (session["id"], session["profile"], "role" if session["role"] else "token", session["role"], session["key"], session["issued"],
             session["expires"], session["renews"], at and int(at), reason, by, session["deliveries"], session["issued"] + 1_000))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--now", type=int, default=int(time.time() * 1_000))
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--vault", default="vlt_bench")
    parser.add_argument("--host")
    parser.add_argument("--codes", action="store_true")
    parser.add_argument("--form", type=int, choices=[2, 3], default=3)
    parser.add_argument("--runs", type=float, default=0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    asked.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = asked.folder / "vault.db"
    path.touch(mode=0o600)
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    schema(database)
    database.execute("PRAGMA foreign_keys = OFF")
    database.execute("INSERT INTO vault (id, created_at) VALUES (?, 0)", (asked.vault,))
    key = chance.randbytes(32) if asked.codes else None
    if key:
        (asked.folder / "auditor.key").write_text(f"vault-audit-key-1 1 {key.hex()}\n")
    log = Log(database, chance, asked.hostile, asked.host, key, asked.rows if key else None, asked.form, asked.runs)
    life = Life(database, log, chance, asked.hostile)
    try:
        fill(log, life, asked, chance)
    except Full:
        pass
    log.flush()
    for session in life.live.values():
        life.close(session)
    database.commit()
    database.execute("PRAGMA journal_mode = WAL")
    database.close()


def fill(log, life, asked, chance):
    at = asked.now - asked.days * 24 * HOUR
    while log.sequence < asked.rows and at < asked.now:
        # Work is done by day and in the week.
        hour, weekday = int(at / HOUR) % 24, int(at / (24 * HOUR) + 3) % 7
        busy = (3 if 8 <= hour < 18 else 1 if 6 <= hour < 22 else 0.1) * (1 if weekday < 5 else 0.15)
        # Moments are drawn evenly, and those of idle hours mostly left out; about one in two makes a row.
        pause = (asked.now - at) / (asked.rows - log.sequence) * 0.5
        at += chance.expovariate(1) * pause
        if chance.random() < busy / 3:
            life.step(at)
    while log.sequence < asked.rows:
        life.step(asked.now)


if __name__ == "__main__":
    main()
