"""Runs commands and measures what they cost: wall-clock time, CPU, resident memory."""

import fcntl
import os
import shutil
import signal
import statistics
import time


class Sample:
    """One run: seconds of wall clock, seconds of CPU, exit status."""

    __slots__ = ("wall", "cpu", "status")

    def __init__(self, wall, cpu, status):
        self.wall, self.cpu, self.status = wall, cpu, status


class Failed(Exception):
    """A command that is measured did not do its work; its time would mean nothing."""


def find(name, environment):
    path = shutil.which(name, path=environment["PATH"])
    if path is None:
        raise Failed(f"no program {name}")
    return path


def spawn(words, environment, output=os.devnull, errors=None):
    """Starts a command by posix_spawn (which copies none of our memory), its input and output not ours."""
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY, 0)]
    if errors is not None:
        actions.append((os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    return os.posix_spawn(words[0], words, environment, file_actions=actions)


def run(words, environment, errors=None):
    """Runs one command to its end. `words[0]` is a path: looking it up is not what is measured."""
    start = time.perf_counter()
    child = spawn(words, environment, errors=errors)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - start
    return Sample(wall, usage.ru_utime + usage.ru_stime, os.waitstatus_to_exitcode(status))


def must(words, environment, errors=None):
    sample = run(words, environment, errors)
    if sample.status != 0:
        raise Failed(f"exit status {sample.status}: {' '.join(words)}")
    return sample


class Series:
    """The runs of one command."""

    def __init__(self, name, words, environment, every=1):
        self.name, self.environment, self.every = name, environment, every
        self.words = [find(words[0], environment), *words[1:]]
        self.samples = []

    def sample(self, errors):
        self.samples.append(must(self.words, self.environment, errors))

    @property
    def wall(self):
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def cpu(self):
        return statistics.median(sample.cpu for sample in self.samples)


def interleave(series, rounds, errors):
    """Every command once a round, each round beginning with another: what disturbs the machine disturbs all of them."""
    for one in series:
        must(one.words, one.environment, errors)
    for number in range(rounds):
        turn = number % len(series)
        for one in series[turn:] + series[:turn]:
            if number % one.every == 0:
                one.sample(errors)


def together(words, environment, count, errors=None):
    """Starts `count` of a command at once; the seconds until the last has ended."""
    start = time.perf_counter()
    children = {spawn(words, environment, errors=errors) for _ in range(count)}
    failed = 0
    for child in children:
        failed += os.waitpid(child, 0)[1] != 0
    wall = time.perf_counter() - start
    if failed:
        raise Failed(f"{failed} of {count} failed: {' '.join(words)}")
    return wall


def each(commands, environment, width, errors=None):
    """Runs many commands, `width` at a time."""
    running = {}
    for words in commands:
        if len(running) == width:
            reap(running)
        running[spawn(words, environment, errors=errors)] = words
    while running:
        reap(running)


def reap(running):
    child, status = os.wait()
    words = running.pop(child, None)
    if words and status != 0:
        raise Failed(f"exit status {os.waitstatus_to_exitcode(status)}: {' '.join(words)}")


def peak_before_exec(words, target, environment):
    """The most memory, in bytes, that a command had resident when it was about to become `target`.

    `ru_maxrss` can't tell: it counts the memory of who started the process, and of what it became. So the last step is held up by a
    write lease on `target` (fcntl(2), "Leases"): the kernel lets execve wait, and tells us, until we give the file free.
    """
    broken = []
    before = signal.signal(signal.SIGIO, lambda *_: broken.append(True))
    file = os.open(target, os.O_RDONLY)
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        child = spawn(words, environment)
        limit = time.monotonic() + 10
        while not broken and time.monotonic() < limit:
            time.sleep(0.001)
        peak = status_field(child, "VmHWM") if broken else None
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    finally:
        os.close(file)
        signal.signal(signal.SIGIO, before)
    _, status = os.waitpid(child, 0)
    if status != 0 or peak is None:
        raise Failed(f"exit status {os.waitstatus_to_exitcode(status)}: {' '.join(words)}")
    return peak


def status_field(process, name):
    """A size out of /proc/PID/status, in bytes."""
    with open(f"/proc/{process}/status") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    raise Failed(f"process {process} has no {name}")


def cpu_seconds(process):
    """What a process has used so far, all its threads together, those that have ended too."""
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sleeps(process):
    """How often each thread of a process has gone to sleep so far."""
    counts = {}
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/status") as file:
            counts[thread] = sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches:"))
    return counts


def wakeups(process, seconds):
    """How often the threads of a process wake in so many seconds. One that ends has woken for it."""
    before = sleeps(process)
    time.sleep(seconds)
    after = sleeps(process)
    ended = len(before.keys() - after.keys())
    return ended + sum(count - before.get(thread, 0) for thread, count in after.items())
