"""The figures of who may hold what: rules, trees that act by themselves, and taking back what was handed out."""

import http.client
import pathlib
import statistics
import subprocess
import threading
import time
import urllib.parse

import measure
from figures import MICRO, MILLI, Figure
from stage import profile


def rules(stage, vault, rounds):
    """Warm commands without rules, with rules for other profiles, and with rules for this one that ask nobody."""
    settings = pathlib.Path(vault.environment["VAULT_HOME"]) / "config"
    plain = settings.read_text()
    others = "".join(f"\n[guard other-{number}-*]\nconfirm = always\nmax_duration = 30m\n" for number in range(20))
    own = "\n[guard app-*]\nmax_duration = 12h\ncommands = /bin/true, true, sh\n"
    walls = {"none": [], "others": [], "own": []}
    try:
        for _ in range(rounds):
            for name, text in (("none", ""), ("others", others), ("own", own)):
                settings.write_text(plain + text)
                vault.do("config", "lock_after")
                vault.do(*vault.words(1)[1:])
                walls[name] += [measure.must(vault.words(1), vault.environment, vault.errors).wall for _ in range(10)]
    finally:
        settings.write_text(plain)
        vault.do(*vault.words(1)[1:])
    none, others, own = (statistics.median(walls[name]) for name in ("none", "others", "own"))
    yield Figure("warm exec of an unguarded profile beside 20 rules, against none", others / none, "×", most=1.05)
    yield Figure("warm exec of a guarded profile that asks nobody, against none", own / none, "×", most=1.1)


def membership(stage, vault, trees=100, depth=20, requests=1000):
    """What a request costs the agent among so many trees, asked for by a process with so many above it."""
    script = stage.folder / "deep"
    script.write_text(
        '#!/bin/sh\nif [ "$1" -gt 0 ]; then "$0" $(($1 - 1)) "$2"; exit; fi\n'
        f'i=0; while [ $i -lt "$2" ]; do {vault.program} exec {profile(1)} -- /bin/true || exit 1; i=$((i + 1)); done\n')
    script.chmod(0o700)

    def spent():
        agent = vault.agent
        before = measure.cpu_seconds(agent)
        measure.must([str(script), str(depth), str(requests)], vault.environment, vault.errors)
        return (measure.cpu_seconds(agent) - before) / requests

    spent()
    without = min(spent() for _ in range(3))
    roots = []
    try:
        for _ in range(trees):
            roots.append(subprocess.Popen(
                [vault.program, "exec", "--automation", "bench", profile(1), "--", "sleep", "600"], env=vault.environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            time.sleep(0.05)
        time.sleep(2)
        among = min(spent() for _ in range(3))
    finally:
        for root in roots:
            root.terminate()
        for root in roots:
            root.wait()
    yield Figure(f"agent's CPU for a request among {trees} trees, {depth} processes above it, beyond none", (among - without) / MICRO, "µs", most=50)


def revocation(vault, times=5, connections=32):
    """From the start of `vault revoke` to the last answer with credentials, while wrk asks as fast as it is answered."""
    last, after = [], 0
    for _ in range(times):
        taken, late = revoked(vault, connections)
        last.append(taken)
        after += late
    yield Figure(f"start of `vault revoke` to the endpoint's last credentials, wrk with {connections} connections", max(last) / MILLI, "ms", most=100)
    yield Figure("credentials to requests that began after its end", after, "", most=0)


def revoked(vault, connections):
    script = 'echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI"; echo "$AWS_CONTAINER_AUTHORIZATION_TOKEN"; read end'
    program = subprocess.Popen(
        [vault.program, "exec", "--server", profile(1), "--", "sh", "-c", script], env=vault.environment, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    url, token = (program.stdout.readline().strip() for _ in range(2))
    load = subprocess.Popen(
        ["wrk", "-t1", f"-c{connections}", "-d20s", "-H", f"Authorization: {token}", url], env=vault.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    asked, over = [], threading.Event()

    def ask():
        place = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(place.hostname, place.port)
        while not over.is_set():
            began = time.monotonic()
            connection.request("GET", place.path, headers={"Authorization": token})
            answer = connection.getresponse()
            answer.read()
            asked.append((began, time.monotonic(), answer.status))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        time.sleep(0.5)
        start = time.monotonic()
        vault.do("revoke", profile(1))
        end = time.monotonic()
        time.sleep(0.3)
    finally:
        over.set()
        thread.join()
        load.terminate()
        load.wait()
        program.communicate("\n")
    served = [(began, came) for began, came, status in asked if status == 200]
    if not served or not any(began > end for began, _, _ in asked):
        raise measure.Failed("the endpoint was not asked before and after the revocation")
    return max(came for _, came in served) - start, sum(began > end for began, _ in served)
