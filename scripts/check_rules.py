#!/usr/bin/env python3
"""Checks the rules that a formatter does not know: who may import what, where C stays, and what must not stand in the tree.

usage: check_rules.py [--self-test]
"""

import pathlib
import re
import subprocess
import sys
import tempfile

# Each target and the modules of ours that it may import (docs/architecture.md); lowest first.
ALLOWED = {
    "VaultModel": set(),
    "VaultSecrets": {"VaultModel", "CSodium", "CBlake2"},
    "AWSConfig": {"VaultModel", "VaultSecrets", "CSystem"},
    "AWSClient": {"VaultModel", "VaultSecrets", "CCurl", "CExpat", "CJansson"},
    "VaultDatabase": {"VaultModel", "VaultSecrets", "CSQLite", "CZlib"},
    "VaultStore": {"VaultModel", "VaultSecrets", "VaultDatabase"},
    "VaultTeam": {"VaultModel", "VaultSecrets", "VaultDatabase", "CPostgreSQL"},
    "VaultKeys": {"VaultModel", "VaultSecrets", "CSecret", "CSystem"},
    "VaultWire": {"VaultModel", "CSystem"},
    "VaultAgent": {
        "VaultModel", "VaultSecrets", "AWSConfig", "AWSClient", "VaultDatabase", "VaultStore", "VaultKeys", "VaultWire", "CSystem",
        "CCrypto", "COath", "CQRCode", "CMicrohttpd",
    },
    "vault": {"VaultModel", "VaultSecrets", "AWSConfig", "VaultDatabase", "VaultWire", "CSystem"},
    "vaultd": {"VaultModel", "VaultAgent", "CSystem"},
    "vault-team": {"VaultTeam"},
}
SYSTEM = {"Glibc", "Synchronization"}
# A library's functions, and the only targets that may say them.
LIBRARIES = {
    r"\bsqlite3_\w+\(": {"VaultDatabase"},
    r"\b(crypto_\w+|sodium_\w+|randombytes_\w+)\(": {"VaultSecrets"},
    r"\bblake2b_256_many_\w+\(": {"VaultSecrets"},
    r"\bgz\w+\(": {"VaultDatabase"},
    r"\bPQ\w+\(": {"VaultTeam"},
    r"\bcurl_\w+\(": {"AWSClient"},
    r"\bXML_\w+\(": {"AWSClient"},
    # SQLite has functions of such names, too.
    r"\bjson_\w+\(": {"AWSClient", "VaultDatabase"},
    r"\b(MHD_\w+|QRcode_\w+|oath_\w+)\(": {"VaultAgent"},
    r"\bsecret_(service|item|collection|value|password)_\w+\(": {"VaultKeys"},
}
LEFT_BEHIND = r"\bTODO\b|\bFIXME\b|\bXXX\b|\btry!|fatalError\(|\bas! "
LONGEST_FILE = 350
MACHINE_PATHS = r"/work/|/root/|/home/[a-z]+/(?!\.aws|app)|/tmp/wt"


def check_swift(path, target, text):
    lines = text.splitlines()
    if len(lines) > LONGEST_FILE:
        yield 1, f"the file has {len(lines)} lines; over {LONGEST_FILE} it no longer fits in the head"
    for number, line in enumerate(lines, 1):
        code = line.split("//")[0]
        if re.search(LEFT_BEHIND, line):
            yield number, "left behind: finish it, or make it an error that a person can read"
        if "@unchecked Sendable" in code or "nonisolated(unsafe)" in code:
            above = "\n".join(lines[max(0, number - 8):number - 1])
            if "//" not in above:
                yield number, "a promise to the compiler without the line above that says what makes it true"
        if re.search(r"\.(execute|prepare|statement)\(\s*\"[^\"]*\\\((?!number\)|AuditRows\.columns\))", code):
            yield number, "SQL put together of text; bind the value"
        if target is None:
            continue
        match = re.match(r"\s*(?:@\w+\s+)?import (?:\w+ )?(\w+)", code)
        if match and match[1] not in ALLOWED[target] | SYSTEM:
            yield number, f"{target} may not import {match[1]}"
        for pattern, owners in LIBRARIES.items():
            if target not in owners and re.search(pattern, code):
                yield number, f"only {', '.join(sorted(owners))} calls this library"


def check_tree(root, files):
    for name in files:
        path = root / name
        try:
            text = path.read_text()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        if not name.startswith("scripts/check_rules.py"):
            for number, line in enumerate(text.splitlines(), 1):
                if re.search(MACHINE_PATHS, line):
                    yield name, number, "the path of one machine"
        if name.endswith(".swift"):
            parts = pathlib.PurePath(name).parts
            target = parts[1] if parts[0] == "Sources" and parts[1] in ALLOWED else None
            for number, problem in check_swift(path, target, text):
                yield name, number, problem


def self_test():
    """Plants one of each violation, and fails where one is not found."""
    planted = {
        "Sources/vault/A.swift": ["import CCurl", "import Foundation"],
        "Sources/VaultAgent/B.swift": ["let x = sqlite3_open(path)", "let y = try! z()", "final class C: @unchecked Sendable {}"],
        "Sources/VaultStore/D.swift": ['try database.execute("DELETE FROM t WHERE a = \\(b)")', "// /root/" + "secret"],
        "Sources/VaultModel/E.swift": ["let a = 1"] * (LONGEST_FILE + 1),
    }
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, lines in planted.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("\n".join(lines) + "\n")
        found = list(check_tree(root, planted))
    wanted = {("Sources/vault/A.swift", 1), ("Sources/vault/A.swift", 2), ("Sources/VaultAgent/B.swift", 1), ("Sources/VaultAgent/B.swift", 2),
              ("Sources/VaultAgent/B.swift", 3), ("Sources/VaultStore/D.swift", 1), ("Sources/VaultStore/D.swift", 2), ("Sources/VaultModel/E.swift", 1)}
    missed = wanted - {(name, number) for name, number, _ in found}
    if missed:
        sys.exit(f"vault: the rules' own check misses {sorted(missed)}")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    root = pathlib.Path(__file__).resolve().parent.parent
    files = subprocess.run(["git", "ls-files"], cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()
    problems = list(check_tree(root, files))
    for name, number, problem in problems:
        print(f"{name}:{number}: {problem}")
    if problems:
        sys.exit(f"vault: {len(problems)} breaches of the house's rules")


if __name__ == "__main__":
    main()
