#!/usr/bin/env python3
"""Writes what the documentation shows of the programs: docs/commands.md, and the terminal pictures in docs/images.

The pictures show a demo vault in a temporary home, with AWS played by sts-simulator. Keys, times and the user's name are replaced by
fixed ones, so that the same programs always give the same files.

usage: docs.py [--check]     --check writes nothing, and fails where a file is not what the programs print
"""

import fcntl
import html
import json
import os
import pathlib
import pty
import pwd
import re
import struct
import subprocess
import sys
import tempfile
import termios

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = pathlib.Path(os.environ.get("VAULT_PROGRAMS", ROOT / ".build/programs"))
COLUMNS = 80
# AWS's own example key (IAM User Guide).
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ARN = "arn:aws:iam::123456789012:"
WORLD = {
    "users": [{"arn": ARN + "user/bob", "accessKeys": [{"id": KEY, "secret": SECRET}], "mayAssume": [ARN + "role/*"]}],
    "roles": [{"arn": ARN + "role/" + name, "trusts": [ARN + "root"], "maxSessionDuration": 43200, "mayAssume": []} for name in ("dev", "ops")],
}
# Each picture: its file, its title, and the commands that it shows.
PICTURES = [
    ("list.svg", "vault list: each profile, its session, when that ends, its role, and where its credentials come from", ["vault list"]),
    ("audit.svg", "vault audit: each session that AWS issued and each delivery to a program; vault audit verify: the chain is intact",
     ["vault audit --profile app-dev -n 4", "vault audit verify"]),
]


class Demo:
    """A vault in a temporary home, with a short history."""

    def __init__(self, stage):
        stage = pathlib.Path(stage)
        home = stage / "home"
        for folder in (home, stage / "run", stage / "bin"):
            folder.mkdir(mode=0o700)
        (stage / "passphrase").write_text("demo passphrase\n")
        (stage / "passphrase").chmod(0o600)
        (stage / "world.json").write_text(json.dumps(WORLD))
        # The programs that the log names.
        for name in ("aws", "deploy"):
            (stage / "bin" / name).write_text("#!/bin/sh\nexit 0\n")
            (stage / "bin" / name).chmod(0o755)
        self.simulator = subprocess.Popen(
            [PROGRAMS / "sts-simulator", "--world", stage / "world.json", "--until-stdin-closes"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        endpoint = self.simulator.stdout.readline().split()[-1]
        self.environment = {
            "HOME": str(home), "VAULT_HOME": str(stage / "vault"), "XDG_RUNTIME_DIR": str(stage / "run"), "VAULT_KEYSTORE": "passphrase",
            "VAULT_PASSPHRASE_FILE": str(stage / "passphrase"), "AWS_ENDPOINT_URL_STS": endpoint, "AWS_REGION": "us-east-1",
            "PATH": f"{PROGRAMS}:{stage / 'bin'}:/usr/bin:/bin", "TZ": "UTC", "LANG": "C.UTF-8", "TERM": "xterm", "VAULT_PAGER": "",
        }

    def __enter__(self):
        return self

    def fill(self):
        endpoint = self.environment["AWS_ENDPOINT_URL_STS"]
        self.run(f"vault config --add trusted_endpoints {endpoint}")
        self.run(f"vault access-key add corp --access-key-id {KEY}", SECRET + "\n")
        for name in ("dev", "ops"):
            self.run(f"vault add app-{name} --role-arn {ARN}role/{name} --source corp")
        for reason, command in (("PR-12", "aws s3 ls"), ("PR-12", "deploy"), ("PR-15", "deploy")):
            self.run(f"vault exec app-dev --reason {reason} -- {command}")

    def __exit__(self, *_):
        subprocess.run([PROGRAMS / "vault", "agent", "stop"], env=self.environment, capture_output=True)
        self.simulator.stdin.close()
        self.simulator.wait()

    def run(self, command, text=""):
        done = subprocess.run(command, shell=True, env=self.environment, input=text, text=True, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"vault: {command} failed: {done.stderr}")

    def show(self, command):
        """What a terminal of 80 columns shows of a command."""
        process, terminal = pty.fork()
        if process == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
            os.execvpe("/bin/sh", ["sh", "-c", command], self.environment)
        shown = b""
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # Linux's word for the end.
                break
            if not piece:
                break
            shown += piece
        if os.waitpid(process, 0)[1] != 0:
            sys.exit(f"vault: {command} failed: {shown.decode()}")
        return shown.decode().replace("\r\n", "\n").rstrip("\n").split("\n")


def fixed(lines):
    """The lines of a table with a fixed key, time and user, aligned again; the first is the heading."""
    replacements = [
        (r"\x1b\[[0-9;]*m", ""), (r"\bASIA[A-Z0-9]{16}\b", "ASIAY34FZKBOKEXAMPLE"), (r"\bin \d+[hm]\b", "in 59m"),
        (r"(?m)^\d\d:\d\d\b", "09:41"), (rf"(?<=  ){re.escape(pwd.getpwuid(os.getuid()).pw_name)}(?=  )", "bob"),
        # Of the simulator alone; AWS is called by https, and the row's detail is its reason.
        (r"by plain http", "PR-12"),
    ]
    text = "\n".join(lines)
    for pattern, word in replacements:
        text = re.sub(pattern, word, text)
    rows = [re.split(r" {2,}", line) for line in text.split("\n")]
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(max(map(len, rows)))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def picture(title, lines):
    """An SVG of a terminal; each line is (class, text)."""
    width, height, left = 8.4, 20, 20
    for _, text in lines:
        if len(text) > COLUMNS:
            sys.exit(f"vault: a line of {len(text)} columns: {text}")
    tall = height * len(lines) + 28
    svg = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * width + 2 * left:g} {tall}" width="{COLUMNS * width + 2 * left:g}" height="{tall}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" role="img" aria-labelledby="t">
  <title id="t">{html.escape(title)}</title>
  <style>
    rect {{ fill: #f6f8fa; stroke: #d0d7de; }} text {{ fill: #1f2328; white-space: pre; }} .head {{ font-weight: bold; }} .command {{ fill: #0969da; }}
    @media (prefers-color-scheme: dark) {{ rect {{ fill: #161b22; stroke: #30363d; }} text {{ fill: #e6edf3; }} .command {{ fill: #58a6ff; }} }}
  </style>
  <rect x="0.5" y="0.5" width="{COLUMNS * width + 2 * left - 1:g}" height="{tall - 1}" rx="8"/>
"""
    for number, (kind, text) in enumerate(lines):
        if text:
            # The length holds the columns under each other in whatever font there is.
            svg += (f'  <text xml:space="preserve"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""} x="{left}" y="{number * height + 29}" '
                    f'textLength="{len(text) * width:.1f}">{html.escape(text, quote=False)}</text>\n')
    return svg + "</svg>\n"


def pictures():
    with tempfile.TemporaryDirectory() as stage, Demo(stage) as demo:
        demo.fill()
        for name, title, commands in PICTURES:
            lines = []
            for command in commands:
                shown = demo.show(command)
                lines += ([("", "")] if lines else []) + [("command", "$ " + command)]
                lines += [("head" if "\x1b[1m" in raw else "", text) for raw, text in zip(shown, fixed(shown))]
            svg = picture(title, lines)
            for private in (SECRET, stage, str(ROOT)):
                if private in svg:
                    sys.exit(f"vault: {name} shows {private}")
            yield f"docs/images/{name}", svg


def main():
    reference = subprocess.run([PROGRAMS / "vault", "--markdown"], check=True, capture_output=True, text=True).stdout
    differing = []
    for name, text in [("docs/commands.md", reference), *pictures()]:
        path = ROOT / name
        if path.exists() and path.read_text() == text:
            continue
        differing.append(name)
        if "--check" not in sys.argv:
            path.write_text(text)
            print(f"vault: wrote {name}", file=sys.stderr)
    if differing and "--check" in sys.argv:
        sys.exit(f"vault: {', '.join(differing)}: not what the programs print\nhint: make docs")


if __name__ == "__main__":
    main()
