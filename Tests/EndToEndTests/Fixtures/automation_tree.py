"""A tree of processes that part from one another in every way that a seed draws, each of which asks the vault once.

    automation_tree.py SEED COUNT RESULTS VAULT

Each process appends to RESULTS one line: its number, the way by which it came to be, and the access key that it was given.
"""

import os
import random
import subprocess
import sys

seed, count, results, vault = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
MARK = "VAULT_AUTOMATION_RUN"
# So many ask at one time.
tickets = os.pipe()
os.write(tickets[1], b"t" * 6)


def ask(number, way):
    environment = dict(os.environ)
    if "bare" in way:
        environment.pop(MARK, None)
    os.read(tickets[0], 1)
    try:
        words = [vault, "exec", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID"]
        if "exec" in way:
            words = ["/bin/sh", "-c", 'exec "$@"', "sh"] + words
        asked = subprocess.run(words, env=environment, capture_output=True, text=True, start_new_session="session" in way)
        answer = asked.stdout.strip() or "status %d: %s" % (asked.returncode, asked.stderr.strip().replace("\n", " "))
    finally:
        os.write(tickets[1], b"t")
    line = "%d %s %s\n" % (number, "+".join(way) or "fork", answer)
    file = os.open(results, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line.encode())
    os.close(file)


def grow(first, size, way):
    """Is the process `first` of a subtree of `size` processes."""
    chance = random.Random(seed * 1_000_003 + first)
    if chance.random() < 0.2:
        os.setsid() if os.getpgrp() != os.getpid() else None
        way = way + ["setsid"]
    # A few ask before they have children, and a few after: what is above them differs.
    early = chance.random() < 0.5
    if early:
        ask(first, way)
    left, next_number = size - 1, first + 1
    while left > 0:
        part = left if chance.random() < 0.15 else chance.randint(1, left)
        ways = [w for w in ("bare", "exec", "session") if chance.random() < 0.25]
        is_daemon = chance.random() < 0.3
        child = os.fork()
        if child == 0:
            if is_daemon:
                # The one between ends at once, so that this one has lost its parent.
                os.setsid()
                if os.fork():
                    os._exit(0)
                ways.append("daemon")
            try:
                grow(next_number, part, ways)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        left -= part
        next_number += part
    if not early:
        ask(first, way)


grow(0, count, [])
