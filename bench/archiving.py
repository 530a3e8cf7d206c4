"""The figures of an audit log that is taken up without MACs, and archived, while programs ask for credentials."""

import contextlib
import pathlib
import sqlite3
import statistics
import subprocess
import threading
import time

import measure
from figures import MEBI, MILLI, ROOT, Figure


def archiving(stage, rows=500_000):
    """A log of rows without MACs: how long the vault is held up by it, and by its archiving, and what the agent needs for it."""
    vault = stage.vault("archiving", stage.write_config("aws-archiving", 1))
    home = pathlib.Path(vault.environment["VAULT_HOME"])
    settings = (home / "config").read_text()
    (home / "config").unlink()
    home.rmdir()
    subprocess.run(["python3", str(ROOT / "bench" / "audit_log.py"), str(home), str(rows)], check=True)
    (home / "config").write_text(settings)
    vault.do("import")
    began = time.monotonic()
    vault.do(*vault.words(1)[1:])
    agent = vault.agent
    forget_peak(agent)
    yield Figure(f"the first exec over a log of {rows:,} rows without MACs", time.monotonic() - began, "s")
    waits = execs(vault, until=lambda: not has_uncoded(home))
    yield Figure("until all have their MACs", time.monotonic() - began, "s")
    yield Figure("a warm exec meanwhile: the longest", max(waits) / MILLI, "ms", most=100)
    yield Figure("agent's memory at its most meanwhile", measure.status_field(agent, "VmHWM") / MEBI, "MiB", most=32)
    idle = statistics.median(measure.must(vault.words(1), vault.environment, vault.errors).wall for _ in range(50))
    forget_peak(agent)
    done = threading.Event()

    def archive():
        vault.do("audit", "archive", "--before", "1d", "--to", str(home / "old.db.gz"))
        done.set()

    began = time.monotonic()
    thread = threading.Thread(target=archive)
    thread.start()
    waits = execs(vault, until=done.is_set)
    thread.join()
    yield Figure(f"vault audit archive of {rows:,} rows", time.monotonic() - began, "s")
    yield Figure(f"a warm exec meanwhile: the median ({idle / MILLI:.1f} ms without)", statistics.median(waits) / MILLI, "ms", most=10)
    yield Figure("a warm exec meanwhile: the longest", max(waits) / MILLI, "ms", most=100)
    yield Figure("agent's memory at its most meanwhile", measure.status_field(agent, "VmHWM") / MEBI, "MiB", most=32)
    vault.stop()


def forget_peak(process):
    pathlib.Path(f"/proc/{process}/clear_refs").write_text("5")


def has_uncoded(home):
    with contextlib.closing(sqlite3.connect(f"file:{home}/vault.db?mode=ro", uri=True)) as database:
        return database.execute("SELECT 1 FROM audit_event WHERE mac IS NULL LIMIT 1").fetchone() is not None


def execs(vault, until):
    """How long each `exec` took, in seconds, until something is the case."""
    waits = []
    while not waits or not until():
        waits += [measure.must(vault.words(1), vault.environment, vault.errors).wall for _ in range(5)]
    return waits
