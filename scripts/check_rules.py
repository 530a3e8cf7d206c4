#!/usr/bin/env python3
"""Checks what neither the formatter nor SwiftPM can: imports that a target does not name, unfinished code, SQL made of text, calls
that do not name their arguments, dead links.

SwiftPM lets a target import what its dependencies depend on, with --explicit-target-dependency-import-check too.

usage: check_rules.py [--self-test]
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

# Beside what Package.swift names. Foundation stays out of the programs (docs/decisions/0002-static-client-without-foundation.md).
SYSTEM = {"Glibc", "Synchronization"}
LEFT_BEHIND = r"\bTODO\b|\bFIXME\b|\bXXX\b|\btry!|fatalError\(|\bas! "
LONG_FILE = 500
MAX_UNLABELLED = 2
MACHINE_PATHS = r"/work/|/root/|/home/[a-z]+/(?!\.aws|app)|/tmp/wt"


def check_swift(allowed, text):
    lines = text.splitlines()
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
        match = re.match(r"\s*(?:@\w+\s+)?import (?:\w+ )?(\w+)", code)
        if allowed is not None and match and match[1] not in allowed | SYSTEM:
            yield number, f"Package.swift does not let this target import {match[1]}"


def check_labels(text):
    """Functions and initializers with more parameters than MAX_UNLABELLED that a call does not name."""
    blank = lambda match: re.sub(r"[^\n]", " ", match[0])
    code = re.sub(r'//[^\n]*|"""(?s:.*?)"""|"(?:\\.|[^"\\\n])*"', blank, text)
    for match in re.finditer(r"\b(?:func\s+`?\w+`?|init[?!]?)\s*(?:<[^>]*>)?\s*\(", code):
        depth, end = 1, match.end()
        parameters = ""
        while depth and end < len(code):
            depth += (code[end] in "([{") - (code[end] in ")]}")
            parameters += code[end] if depth == 1 else ""
            end += 1
        count = len(re.findall(r"(?:^|,)\s*(?:@\w+\s+)*_\s", parameters))
        # What C calls has C's parameters: first the context.
        if count > MAX_UNLABELLED and not re.match(r"\s*_ context: UnsafeMutableRawPointer\?,", parameters):
            yield code.count("\n", 0, match.start()) + 1, f"{count} parameters without a label; at most {MAX_UNLABELLED}"


def check_suites(text):
    """Tests that start agents run a few at one time, and can be chosen by tag."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("@Suite") and not line.startswith("@Suite(.endToEnd"):
            yield number, "a suite of programs without the trait .endToEnd"


def dependencies(root):
    """What each target under Sources may import, as Package.swift says."""
    package = subprocess.run(["scripts/swift.sh", "package", "dump-package"], cwd=root, check=True, capture_output=True, text=True).stdout
    names = {}
    for target in json.loads(package)["targets"]:
        names[target["name"]] = {next(iter(d.values()))[0] for d in target["dependencies"]}
    return names


def prose(text):
    """The lines of a Markdown page without fenced blocks and code spans, numbered."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors(text):
    """The anchors that GitHub gives a page's headings."""
    seen = {}
    for _, line in prose(text):
        if match := re.match(r"#{1,6} (.+)", line):
            title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1]).strip().lower()
            anchor = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
            seen[anchor] = seen.get(anchor, -1) + 1
            yield anchor if seen[anchor] == 0 else f"{anchor}-{seen[anchor]}"


def check_links(path, text):
    for number, line in prose(text):
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            page = path.parent / name if name else path
            if not page.exists():
                yield number, f"a link to {name}, which is not there"
            elif anchor and anchor not in anchors(page.read_text()):
                yield number, f"a link to #{anchor}, a heading that {page.name} does not have"


def check_tree(root, files, targets):
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
        if name.endswith(".md"):
            for number, problem in check_links(path, text):
                yield name, number, problem
        if name.endswith(".swift"):
            parts = pathlib.PurePath(name).parts
            allowed = targets[parts[1]] if parts[0] == "Sources" else None
            for number, problem in check_swift(allowed, text):
                yield name, number, problem
            if parts[0] == "Sources":
                for number, problem in check_labels(text):
                    yield name, number, problem
            for number, problem in check_suites(text) if parts[:2] == ("Tests", "EndToEndTests") else []:
                yield name, number, problem


def self_test():
    """Plants one of each violation, and fails where one is not found."""
    planted = {
        "Sources/vault/A.swift": ["import CCurl", "import Foundation", "import VaultModel"],
        "Sources/VaultAgent/B.swift": ["let y = try! z()", "final class C: @unchecked Sendable {}"],
        "Sources/VaultStore/D.swift": ['try database.execute("DELETE FROM t WHERE a = \\(b)")', "// /root/" + "secret"],
        "Sources/VaultWire/G.swift": [
            'func a(_ b: Int, c: Int, _ d: [String: Int] = [:]) { e("(") }', "init<A>(_ b: A,", "  _ c: (Int, Int), _ d: Int) {}",
        ],
        "Tests/EndToEndTests/E.swift": ["@Suite struct E {}", "@Suite(.endToEnd) struct F {}"],
        "docs/e.md": ["# A `b` c", "[x](#a-b-c) [y](#none)", "[z](gone.md)"],
    }
    targets = {"vault": {"VaultModel"}, "VaultAgent": set(), "VaultStore": set(), "VaultWire": set()}
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, lines in planted.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("\n".join(lines) + "\n")
        found = list(check_tree(root, planted, targets))
    wanted = {("Sources/vault/A.swift", 1), ("Sources/vault/A.swift", 2), ("Sources/VaultAgent/B.swift", 1),
              ("Sources/VaultAgent/B.swift", 2), ("Sources/VaultStore/D.swift", 1), ("Sources/VaultStore/D.swift", 2),
              ("Sources/VaultWire/G.swift", 2), ("Tests/EndToEndTests/E.swift", 1), ("docs/e.md", 2), ("docs/e.md", 3)}
    missed = wanted ^ {(name, number) for name, number, _ in found}
    if missed:
        sys.exit(f"vault: the rules' own check is wrong about {sorted(missed)}")


def main():
    if "--self-test" in sys.argv:
        return self_test()
    root = pathlib.Path(__file__).resolve().parent.parent
    files = subprocess.run(["git", "ls-files"], cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()
    problems = list(check_tree(root, files, dependencies(root)))
    for name in files:
        path = root / name
        if name.endswith(".swift") and path.exists() and (length := path.read_text().count("\n")) > LONG_FILE:
            print(f"vault: {name} has {length} lines", file=sys.stderr)
    for name, number, problem in problems:
        print(f"{name}:{number}: {problem}")
    if problems:
        sys.exit(f"vault: {len(problems)} breaches of the house's rules")


if __name__ == "__main__":
    main()
