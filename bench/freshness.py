"""The figures of what keeps credentials fresh: the endpoint that serves them, and the schedule that renews them."""

import pathlib
import re
import statistics
import subprocess
import time

import measure
from figures import MEBI, MICRO, MILLI, Figure
from stage import PROGRAMS, profile


def endpoint(stage, vault, seconds=4):
    """Requests a second against a bare libmicrohttpd of the same settings, in turns; both asked by wrk."""
    before = measure.status_field(vault.agent, "VmRSS")
    bare = subprocess.Popen(
        [str(PROGRAMS / "bench-inside"), "bare-endpoint"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        bare_url = bare.stdout.readline().strip()
        if not bare_url:
            raise measure.Failed("bench-inside bare-endpoint does not start")
        for connections in (1, 8):
            ours, theirs = [], []
            for _ in range(3):
                theirs.append(wrk(["wrk", *load(connections, seconds), bare_url], stage.environment)[0])
                ours.append(served(vault, connections, seconds)[0])
            plural = "" if connections == 1 else "s"
            yield Figure(f"endpoint's requests a second, {connections} connection{plural}", max(ours), "/s")
            yield Figure(
                f"the same against a bare libmicrohttpd ({max(theirs):,.0f}/s)", max(ours) / max(theirs), "×", least=0.9)
        yield from many_leases(vault, seconds)
        slow = min(served(vault, 32, seconds)[1] for _ in range(3))
        yield Figure("endpoint's slowest of a hundred, 32 connections", slow / MILLI, "ms", most=2)
        grown = measure.status_field(vault.agent, "VmRSS") - before
        yield Figure("agent's memory, beyond what it had without the endpoint", grown / MEBI, "MiB", most=8)
    finally:
        bare.stdin.close()
        bare.wait()


def many_leases(vault, seconds, connections=8):
    """The same with programs beside it that have a lease each, against the rates without them before and after."""
    def rate():
        return max(served(vault, connections, seconds)[0] for _ in range(2))

    programs, rates, alone = [], {}, [rate()]
    try:
        for count in (100, 1_000):
            while len(programs) < count:
                programs.append(subprocess.Popen(
                    [vault.program, "exec", "--server", profile(1), "--", "sleep", "600"], env=vault.environment,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
                if len(programs) % 50 == 0:
                    time.sleep(0.5)
            time.sleep(2)
            rates[count] = rate()
        vault.stop()
        vault.do(*vault.words(1)[1:])
        time.sleep(5)
        taken_up = measure.status_field(vault.agent, "VmRSS")
    finally:
        for program in programs:
            program.terminate()
        for program in programs:
            program.wait()
    time.sleep(2)
    alone.append(rate())
    for count, found in rates.items():
        yield Figure(f"endpoint's requests a second with {count:,} leases, against one", found / max(alone), "×", least=0.8)
    yield Figure("agent's memory after it took up 1,000 leases at its start", taken_up / MEBI, "MiB", most=30)


def load(connections, seconds):
    return ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]


def served(vault, connections, seconds):
    """wrk as a program that is served."""
    script = 'exec wrk "$@" -H "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" "$AWS_CONTAINER_CREDENTIALS_FULL_URI"'
    words = [vault.program, "exec", "--server", profile(1), "--", "sh", "-c", script, "sh", *load(connections, seconds)]
    return wrk(words, vault.environment)


def wrk(words, environment):
    """Requests a second, and the seconds that 99 of 100 stay below."""
    run = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    rate, slow = re.search(r"Requests/sec:\s+([\d.]+)", run.stdout), re.search(r"99%\s+([\d.]+)(us|ms|s)", run.stdout)
    if run.returncode != 0 or not rate or not slow or "Non-2xx" in run.stdout:
        raise measure.Failed(f"wrk: {run.stdout}{run.stderr}")
    return float(rate[1]), float(slow[1]) * {"us": MICRO, "ms": MILLI, "s": 1}[slow[2]]


def scheduled(vault, seconds=20):
    """What an agent costs that keeps 10,000 live sessions."""
    agent = vault.agent
    time.sleep(15)
    spent = measure.cpu_seconds(agent)
    time.sleep(seconds)
    yield Figure("agent's CPU with 10,000 live sessions", (measure.cpu_seconds(agent) - spent) / seconds * 100, "%", most=1)
    yield Figure("agent's memory with 10,000 live sessions", measure.status_field(agent, "VmRSS") / MEBI, "MiB", most=40)


def followed(vault, times=15):
    """A line of one profile in the followed file of 10,000 changes, then another profile is asked for."""
    config = pathlib.Path(vault.environment["AWS_CONFIG_FILE"])
    head, section, tail = config.read_text().partition(f"[profile {profile(5_000)}]\n")
    agent = vault.agent
    plain = statistics.median(vault_run(vault) for _ in range(times))
    walls, grown = [], []
    for number in range(times):
        config.write_text(head + section + tail.replace("eu-west-1", f"us-east-{number % 2 + 1}", 1))
        pathlib.Path(f"/proc/{agent}/clear_refs").write_text("5")
        before = measure.status_field(agent, "VmRSS")
        walls.append(vault_run(vault) - plain)
        grown.append(measure.status_field(agent, "VmHWM") - before)
    yield Figure("one line changed in a followed file of 10,000 profiles", statistics.median(walls) / MILLI, "ms", most=40)
    yield Figure("agent's memory at its most meanwhile, beyond what it had", max(grown[1:]) / MEBI, "MiB", most=8)
    yield Figure("the first such change that an agent meets", walls[0] / MILLI, "ms")
    yield Figure("agent's memory at its most meanwhile, beyond what it had", grown[0] / MEBI, "MiB")


def vault_run(vault):
    return measure.must(vault.words(1), vault.environment, vault.errors).wall


def rotation(stage, vault, sessions=1_000):
    """All sessions made new at once, at 20 ms a call, with as many calls under way as the schedule allows itself."""
    stage.control("settings", {"latencyMs": 20})
    before = len(stage.calls())
    wall = vault.do("rotate", "--all").wall
    calls = len(stage.calls()) - before
    stage.control("settings", {"latencyMs": 0})
    if calls != sessions:
        raise measure.Failed(f"{calls} calls for {sessions} sessions")
    yield Figure("1,000 sessions made new at once, 20 ms a call", wall, "s", most=5)
