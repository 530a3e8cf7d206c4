"""The figures that vault is held to, and how each is taken. The targets are ratios wherever a ratio can be had."""

import json
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import time

import measure
from stage import PROGRAMS, ROOT, profile

MILLI, MICRO, MEBI = 1e-3, 1e-6, 1 << 20


class Figure:
    """A measured value and the most (or the least) that it should be; without either it is there to be known."""

    def __init__(self, name, value, unit, most=None, least=None):
        self.name, self.value, self.unit, self.most, self.least = name, value, unit, most, least

    @property
    def has_target(self):
        return self.most is not None or self.least is not None

    @property
    def reached(self):
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)


def commands(stage, one, middle, large, rivals, rounds):
    """The commands that are compared, in one interleaved run."""
    plain = stage.environment
    seldom = max(1, rounds // 10)
    series = [
        measure.Series("true", ["true"], plain),
        measure.Series("env true", ["env", "true"], plain),
        measure.Series("vault exec, 1 session", one.words(1), one.environment),
        measure.Series("vault exec, 10,000 sessions", large.words(5000), large.environment),
        measure.Series("vault credentials", ["vault", "credentials", profile(1)], one.environment),
        measure.Series("vault --help", ["vault", "--help"], one.environment),
        measure.Series(
            "vault status --format prompt", ["vault", "status", "--format", "prompt"],
            {**one.environment, "VAULT_PROFILE": profile(1), "AWS_CREDENTIAL_EXPIRATION": "2099-01-01T00:00:00Z"}),
        measure.Series("completing a name, 3,000", ["vault", "--complete", "bash:=", "vault", "exec", ""], middle.environment),
        measure.Series("vault list, 3,000", ["vault", "list"], middle.environment),
        measure.Series("vault list, 10,000", ["vault", "list"], large.environment),
        # Version 1 has no export-credentials; this finds the same credentials, of a cached role session.
        measure.Series("aws configure list", ["aws", "configure", "list", "--profile", profile(1)], rivals, seldom),
        measure.Series("awsume", ["awsumepy", "-s", profile(1)], rivals, seldom),
    ]
    measure.interleave(series, rounds, stage.errors)
    return {one.name: one for one in series}


def of_commands(series):
    true, env = series["true"].wall, series["env true"].wall
    warm, crowded = series["vault exec, 1 session"].wall, series["vault exec, 10,000 sessions"].wall
    yield Figure("warm exec, as multiple of env true", warm / env, "×", most=1.5)
    yield Figure("the same with 10,000 sessions, against 1", crowded / warm, "×", most=1.1)
    yield Figure("vault credentials, as multiple of env true", series["vault credentials"].wall / env, "×", most=1.5)
    yield Figure("vault --help, as multiple of true", series["vault --help"].wall / true, "×", most=3)
    yield Figure("vault status in a prompt", series["vault status --format prompt"].wall / MILLI, "ms", most=5)
    yield Figure("completing a name among 3,000, as multiple of true", series["completing a name, 3,000"].wall / true, "×", most=2)
    yield Figure("list of 3,000 profiles with sessions, as multiple of true", series["vault list, 3,000"].wall / true, "×", most=5)
    yield Figure("list of 10,000 profiles with sessions, as multiple of true", series["vault list, 10,000"].wall / true, "×", most=15)


def client(stage, vault):
    target = shutil.copy("/bin/true", stage.folder / "true")
    words = [vault.program, "exec", profile(1), "--", str(target)]
    peak = max(measure.peak_before_exec(words, target, vault.environment) for _ in range(5))
    yield Figure("client's memory at its most", peak / MEBI, "MiB", most=4)


def agent(vault, requests=2000):
    """CPU a warm request, and sleep without requests."""
    agent = vault.agent
    before = measure.cpu_seconds(agent)
    for _ in range(requests):
        measure.must(vault.words(1), vault.environment, vault.errors)
    spent = measure.cpu_seconds(agent) - before
    yield Figure("agent's CPU for a warm request", spent / requests / MICRO, "µs", most=190)
    yield Figure("pages of the write-ahead log for a warm request", pages(vault), "", most=4)
    yield Figure("the same of a server that only looks at who asks", bare_agent(vault, requests) / MICRO, "µs")
    agent = vault.agent
    vault.fill(1)
    # Threads that have no more to do end some seconds after the last request.
    time.sleep(15)
    yield Figure("agent's wake-ups in 10 s without requests", measure.wakeups(agent, 10), "", most=0)


def pages(vault, requests=192):
    """How many pages a request writes, by the frames that the log has of its present round (SQLite, "The WAL File Format")."""
    written, counted = 0, 0
    for _ in range(requests):
        before = frames(vault)
        measure.must(vault.words(1), vault.environment, vault.errors)
        after = frames(vault)
        # With a checkpoint between the two the log begins again.
        if after > before:
            written, counted = written + after - before, counted + 1
    return written / counted


def frames(vault):
    log = (pathlib.Path(vault.environment["VAULT_HOME"]) / "vault.db-wal").read_bytes()
    salt, size = log[16:24], 24 + int.from_bytes(log[8:12], "big")
    starts = range(32, len(log) - size + 1, size)
    return next((number for number, start in enumerate(starts) if log[start + 8 : start + 16] != salt), len(starts))


def bare_agent(vault, requests):
    """Seconds of CPU a request of a server in the agent's place that has no vault behind it."""
    vault.stop()
    bare = subprocess.Popen(
        [str(PROGRAMS / "bench-inside"), "bare-agent", vault.environment["VAULT_HOME"] + "/agent.sock"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    try:
        if not bare.stdout.readline():
            raise measure.Failed("bench-inside bare-agent does not start")
        before = measure.cpu_seconds(bare.pid)
        for _ in range(requests):
            measure.must(vault.words(1), vault.environment, vault.errors)
        return (measure.cpu_seconds(bare.pid) - before) / requests
    finally:
        bare.stdin.close()
        bare.wait()
        vault.do("agent", "start")


def crowded_agent(vault):
    """What minting 1,000 sessions cost, and the memory of an agent that minted them and of one that was started over them."""
    yield Figure("agent's CPU for a new session, STS call included", measure.cpu_seconds(vault.agent) / 1000 / MICRO, "µs")
    yield Figure("agent's memory after minting 1,000 sessions", measure.status_field(vault.agent, "VmRSS") / MEBI, "MiB", most=25)
    vault.do("agent", "stop")
    vault.fill(1000)
    yield Figure("agent's memory after delivering 1,000 sessions", measure.status_field(vault.agent, "VmRSS") / MEBI, "MiB", most=25)


def start(vault, times=15):
    """From no agent to the first command's end: the agent's start, the keyring's answer, the delivery."""
    walls = []
    for _ in range(times):
        vault.stop()
        walls.append(measure.must(vault.words(1), vault.environment, vault.errors).wall)
    yield Figure("agent's start to its first answer", statistics.median(walls) / MILLI, "ms", most=100)


def parallel(stage, vault, env_true, count=50, rounds=15):
    plain, warm = [], []
    for _ in range(rounds):
        plain.append(measure.together(env_true, stage.environment, count, stage.errors))
        warm.append(measure.together(vault.words(1), vault.environment, count, stage.errors))
    yield Figure("50 warm execs at once, as multiple of 50 env true", statistics.median(warm) / statistics.median(plain), "×", most=2)
    vault.do("forget", profile(1))
    before = len(stage.calls())
    measure.together(vault.words(1), vault.environment, count, stage.errors)
    yield Figure("STS calls of 50 cold execs at once", len(stage.calls()) - before, "", most=1, least=1)


def cold(stage, vault, times=30):
    """What a cold exec takes beyond the time that STS had the call for itself."""
    extra = []
    stage.control("settings", {"latencyMs": 40})
    for _ in range(times):
        before = len(stage.calls())
        wall = measure.must(vault.words(1, "--refresh"), vault.environment, vault.errors).wall
        new = stage.calls()[before:]
        if len(new) != 1:
            raise measure.Failed(f"{len(new)} calls of STS for one new session")
        extra.append(wall - sum(call["microseconds"] for call in new) * MICRO)
    stage.control("settings", {"latencyMs": 0})
    yield Figure("cold exec, beyond its STS call", statistics.median(extra) / MILLI, "ms", most=10)


def sign_in(stage, vault, times=15):
    """What a sign-in leads to, and a role behind it with nothing cached."""
    vault.do("import")
    vault.do("login", "corp", "--device")
    stage.control("settings", {"latencyMs": 20})
    began = len(stage.every_call())
    wall = statistics.median(vault.do("login", "corp", "--discover", "--format", "csv").wall for _ in range(3))
    throttled = sum(call.get("status") == 429 for call in stage.every_call()[began:])
    yield Figure("discovery of 500 accounts with 4 permission sets each, 20 ms a call", wall, "s", most=10)
    yield Figure("calls of it that were asked to slow down", throttled, "", most=0)
    extra = []
    for _ in range(times):
        vault.do("forget", "--all")
        before = len(stage.every_call())
        wall = measure.must(vault.words(1), vault.environment, vault.errors).wall
        new = stage.every_call()[before:]
        if sorted(call["action"] for call in new) != ["AssumeRole", "GetRoleCredentials"]:
            raise measure.Failed(f"calls of a cold exec: {[call['action'] for call in new]}")
        extra.append(wall - sum(call["microseconds"] for call in new) * MICRO)
    stage.control("settings", {"latencyMs": 0})
    yield Figure("cold exec over SSO and a role, beyond its two calls", statistics.median(extra) / MILLI, "ms", most=15)


def imports(stage, files, times=3):
    """Into a vault that does not exist yet: with the agent's start, the new master key and all."""
    walls = [stage.vault(f"import-{number}", files).do("import").wall for number in range(times)]
    yield Figure("import of 3,000 profiles, the vault's making included", statistics.median(walls), "s", most=0.5)


def rotation(vault, times=3):
    walls = [vault.do("master-key", "rotate").wall for _ in range(times)]
    yield Figure("master-key rotation over 10,000 sealed rows", statistics.median(walls), "s", most=1)


def logs(stage, rows=1_000_000):
    """The audit log of a million rows: pages by each filter, the proof, the export."""
    folder = stage.folder / "log"
    subprocess.run(["python3", str(ROOT / "bench" / "audit_log.py"), str(folder), str(rows)], check=True)
    environment = dict(stage.environment, VAULT_HOME=str(folder))

    def wall(*words, times=9):
        return statistics.median(measure.must([str(PROGRAMS / "vault"), *words], environment, stage.errors).wall for _ in range(times))

    start = wall("--version")
    filters = [
        [], ["--profile", "app-dev"], ["--user", "bob"], ["--user", "nobody"], ["--outcome", "refused"], ["--outcome", "unknown"],
        ["--action", "AssumeRole"], ["--role", "network-admin"], ["--since", "2d"], ["--session", "ses_none"],
        ["--profile", "app-prod", "--outcome", "failure"],
    ]
    slowest = max(wall("audit", "-n", "50", *words) for words in filters)
    yield Figure("slowest of 11 filtered pages of 1,000,000 rows, beyond the start", (slowest - start) / MILLI, "ms", most=5)
    for report in (["audit", "stats"], ["audit", "export", "--format", "jsonl"]):
        took = wall(*report, "--since", "2d", times=5) - start
        yield Figure(f"vault {' '.join(report[:2])} --since 2d of 1,000,000 rows, beyond the start", took, "s", most=0.2)
    with sqlite3.connect(folder / "vault.db") as database:
        database.execute("INSERT INTO profile (id, name, is_own, origin, digest) VALUES (9999, 'quiet', 1, 'vault', x'00')")
        database.execute("UPDATE session SET profile_id = 9999 WHERE rowid IN (SELECT rowid FROM session WHERE ended_at IS NOT NULL LIMIT 100)")
    database.close()
    quiet = wall("sessions", "quiet") - start
    yield Figure("vault sessions of a profile with 100, among 27,000, beyond the start", quiet / MILLI, "ms", most=2.5)
    for cores in (1, 2):
        # On as many cores as the process may use (sched_setaffinity(2)).
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, sorted(allowed)[:cores])
        proving = wall("audit", "verify", "--offline", times=5)
        os.sched_setaffinity(0, allowed)
        yield Figure(f"proving 1,000,000 rows on {cores} core{'s' if cores > 1 else ''}", proving, "s", most=2 / cores)
    exported = wall("audit", "export", "--format", "jsonl", times=5)
    yield Figure("rows exported a second (JSON Lines)", rows / exported, "/s", least=500_000)


def inside():
    """What only code can measure: the program prints a JSON object a line with `name`, `value`, `unit` and `most` or `least`."""
    text = subprocess.run([str(PROGRAMS / "bench-inside")], capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        yield Figure(**json.loads(line))
