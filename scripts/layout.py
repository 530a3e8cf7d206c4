#!/usr/bin/env python3
"""Writes down which functions the programs run in daily life: the linker puts those side by side (docs/decisions/0007-layout.md).

usage: layout.py      (`make layout`: after the programs were built, with valgrind installed)

A name that a later build no longer has does no harm; a function that is not named here stands behind the others.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LISTS = ROOT / ".build" / "layout"
sys.path.insert(0, str(ROOT / "bench"))

import stage  # noqa: E402  (bench/ is no package)

# What people wait for. `exec` ends at a command that is not there: what it becomes would not be traced.
CLIENT = [
    ["exec", stage.profile(1), "--", "/nonexistent"], ["list", "--names"], ["--help"], ["status", "--format", "prompt"],
    ["credentials", stage.profile(1)], ["env", stage.profile(1)], ["list"],
]


def traced(words, trace):
    return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={trace}", "--compress-strings=no", "--demangle=no", *words]


def functions(trace):
    """The names in a trace, without the marks of recursion; what has no name is left out."""
    names = (re.sub(r"'\d+$", "", line[3:].strip()) for line in trace.read_text().splitlines() if line.startswith("fn="))
    return [name for name in names if re.fullmatch(r"[\w.$@]+", name) and not name.startswith("0x")]


def stripped(program, folder):
    """Without its debugging symbols, of which valgrind does not know the newest kinds."""
    copy = folder / program.name
    subprocess.run(["objcopy", "--strip-debug", program, copy], check=True)
    return str(copy)


def write(name, program, seen):
    symbols = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout.splitlines()
    there = {line.split()[-1] for line in symbols if line}
    names = [function for function in dict.fromkeys(seen) if function in there]
    LISTS.mkdir(exist_ok=True)
    (LISTS / f"{name}.txt").write_text("\n".join(names) + "\n")
    print(f"{name}: {len(names)} functions")


def client(vault, folder):
    program = stripped(stage.PROGRAMS / "vault", folder)
    seen = []
    for words in CLIENT:
        trace = folder / "client.trace"
        subprocess.run(traced([program, *words], trace), env=vault.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seen += functions(trace)
    write("vault", program, seen)


def agent(vault, folder):
    """An agent's day: it starts, takes in files, makes sessions, hands them out, and ends."""
    program = stripped(stage.PROGRAMS / "vaultd", folder)
    trace = folder / "agent.trace"
    agent = subprocess.Popen(traced([program], trace), env=vault.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    socket = pathlib.Path(vault.environment["VAULT_HOME"]) / "agent.sock"
    while not socket.exists() and agent.poll() is None:
        time.sleep(0.1)
    vault.do("import")
    vault.fill(30)
    for _ in range(40):
        vault.do(*vault.words(1)[1:])
    # The log's head goes to the keyring some seconds after its rows.
    time.sleep(12)
    vault.stop()
    agent.wait()
    write("vaultd", program, functions(trace))


def main():
    with stage.Stage() as place, tempfile.TemporaryDirectory() as folder:
        vault = place.vault("layout", place.write_config("layout", 30))
        agent(vault, pathlib.Path(folder))
        vault.fill(3)
        client(vault, pathlib.Path(folder))


if __name__ == "__main__":
    main()
