"""A coding agent's command line without a model: runs a command in each way in which agents and their tools do.

usage: agent.py FOLDER COMMAND…     prints a JSON object: for each way, what the command printed
"""

import json
import os
import shlex
import subprocess
import sys
import time

folder, command = sys.argv[1], sys.argv[2:]
line = shlex.join(command)


def run(words, **options):
    return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=folder, timeout=60, **options).stdout.decode()


def left_behind(start):
    """For a command that outlives the program which started it: what it writes into a file, once it has ended."""
    file = os.path.join(folder, "left-behind")
    start(f"{line} >{file}.new; mv {file}.new {file}")
    for _ in range(600):
        if os.path.exists(file):
            text = open(file).read()
            os.remove(file)
            return text
        time.sleep(0.05)
    return "it never ended"


def hook():
    """A pre-commit hook: git runs it, whatever the agent typed."""
    repository = os.path.join(folder, "repository")
    git = ["git", "-c", "user.name=agent", "-c", "user.email=agent@example.com", "-C", repository]
    subprocess.run(["git", "init", "-q", repository], check=True)
    with open(f"{repository}/.git/hooks/pre-commit", "w") as file:
        file.write(f"#!/bin/sh\n{line} >../hook\n")
    os.chmod(f"{repository}/.git/hooks/pre-commit", 0o755)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    return open(os.path.join(folder, "hook")).read()


def tool_server():
    """An MCP server: a child that lives as long as the agent, and runs a tool when it is sent a line of JSON."""
    server = (
        "import json, subprocess, sys\n"
        "for line in sys.stdin:\n"
        "    words = json.loads(line)['params']['arguments']['words']\n"
        "    text = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout.decode()\n"
        "    print(json.dumps({'jsonrpc': '2.0', 'id': 1, 'result': text}), flush=True)\n"
    )
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "run", "arguments": {"words": command}}}
    answer = subprocess.run(
        [sys.executable, "-c", server], input=json.dumps(call).encode(), stdout=subprocess.PIPE, timeout=60
    ).stdout
    return json.loads(answer)["result"]


def daemon():
    """A watcher that leaves its session and its parent, as a daemon does."""
    program = (
        "import os, subprocess, sys\n"
        "if os.fork(): os._exit(0)\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        "subprocess.run(sys.argv[1], shell=True)\n"
    )
    return left_behind(lambda text: subprocess.run([sys.executable, "-c", program, text], check=True))


# What an agent that hides would remove: every variable that is not needed for the command.
needed = [f"{name}={value}" for name, value in os.environ.items() if not name.startswith("VAULT_AUTOMATION")]
ways = {
    "itself": lambda: run(command),
    "a shell for each command": lambda: run(["bash", "-lc", line]),
    "a shell whose folder is kept": lambda: run(["bash", "-c", f"eval {shlex.quote(line)} </dev/null && pwd -P >|cwd"]),
    "a session of its own": lambda: run(command, start_new_session=True),
    "a cleaned environment": lambda: run(["env", "-i", *needed, *command]),
    "the background": lambda: run(["sh", "-c", f"nohup {line} 2>/dev/null & wait"]),
    "a program that is left behind": lambda: left_behind(lambda text: subprocess.run(["sh", "-c", f"(sleep 0.1; {text}) &"])),
    "a daemon": daemon,
    "a hook of git": hook,
    "a tool's server": tool_server,
    "xargs": lambda: run(["sh", "-c", f"echo | xargs {line}"]),
}
json.dump({name: way() for name, way in ways.items()}, sys.stdout)
