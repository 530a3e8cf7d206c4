"""A team's PostgreSQL on this machine: what shipping a log into it costs, and reading it back."""

import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import measure
from figures import Figure
from stage import PROGRAMS, ROOT

NOBODY = 65_534
# PostgreSQL refuses to run as root.
UNPRIVILEGED = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []


class Postgres:
    """A cluster of its own, as Debian's package sets one up but for who may come in; on a Unix socket alone."""

    def __enter__(self):
        self.programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4])).parent
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vault-bench-pg-"))
        if UNPRIVILEGED:
            os.chown(self.folder, NOBODY, NOBODY)
        self.run("initdb", "-D", self.folder / "data", "-U", "owner", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        self.server = subprocess.Popen(
            [*UNPRIVILEGED, self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder, "-c", "listen_addresses="],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            ready = [self.programs / "pg_isready", "-q", "-h", self.folder]
            if self.server.poll() is not None or subprocess.run(ready).returncode == 0:
                break
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, name, *words):
        done = subprocess.run([*UNPRIVILEGED, self.programs / name, *words], capture_output=True, text=True, cwd="/")
        if done.returncode != 0:
            raise measure.Failed(f"{name}: {done.stderr.strip()}")

    def sql(self, text):
        words = [self.programs / "psql", "-h", self.folder, "-U", "owner", "-d", "postgres", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        subprocess.run(words, input=text, text=True, check=True, stdout=subprocess.DEVNULL)

    def address(self, user):
        return f"postgresql://{user}@/postgres?host={self.folder}"


def figures(stage, rows=200_000, times=3):
    """Each time a laptop's log of so many rows, into tables that hold those before."""
    with Postgres() as postgres:
        schema = subprocess.run([PROGRAMS / "vault", "audit", "ship", "--print-schema"], capture_output=True, text=True, check=True)
        postgres.sql(schema.stdout + "CREATE ROLE laptop LOGIN IN ROLE vault_shipper; CREATE ROLE lead LOGIN IN ROLE vault_reader;")
        walls = []
        for number in range(times):
            folder = stage.folder / f"laptop-{number}"
            subprocess.run(
                ["python3", str(ROOT / "bench" / "audit_log.py"), str(folder), str(rows), "--codes", "--seed", str(number), "--vault",
                 f"vlt_bench-{number}"], check=True)
            environment = dict(stage.environment, VAULT_HOME=str(folder))
            words = [str(PROGRAMS / "vault"), "audit", "ship", "--to", postgres.address("laptop")]
            walls.append(measure.must(words, environment, stage.errors).wall)
        yield Figure("rows shipped a second into a PostgreSQL here", rows / statistics.median(walls), "/s", least=20_000)
        words = [str(PROGRAMS / "vault"), "audit", "verify", "--from", postgres.address("lead")]
        yield Figure("rows of it proven a second", rows * times / measure.must(words, stage.environment, stage.errors).wall, "/s")
