#!/usr/bin/env python3
"""What the programs are made of: an SPDX 2.3 document in JSON, from the linker's archives, the dynamic section and Debian's records.

usage: sbom.py PROGRAMS BIN VERSION      PROGRAMS as built, with what the linker noted; BIN as installed
       sbom.py --static PROGRAMS         the source packages inside the static client, with their versions
"""

import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

# The names of Debian's copyright files that differ from SPDX's.
SPDX = {
    "Expat": "MIT", "BSD-2-clause": "BSD-2-Clause", "BSD-3-clause": "BSD-3-Clause", "GPL-2": "GPL-2.0-only", "GPL-2+": "GPL-2.0-or-later",
    "GPL-3": "GPL-3.0-only", "GPL-3+": "GPL-3.0-or-later", "LGPL-2": "LGPL-2.0-only", "LGPL-2+": "LGPL-2.0-or-later",
    "LGPL-2.1": "LGPL-2.1-only", "LGPL-2.1+": "LGPL-2.1-or-later", "LGPL-3+": "LGPL-3.0-or-later",
}
SAME = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "curl", "FSFULLR", "ISC", "MIT", "PostgreSQL", "Zlib"}


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def archives(program):
    """The archives that the linker took code from, as build.sh had it note them."""
    for line in pathlib.Path(f"{program}.archives").read_text().splitlines()[1:]:
        _, taken, path = line.split("\t")
        if int(taken):
            yield path


@functools.cache
def owner(path):
    """The Debian package that a file is from, or None."""
    real = os.path.realpath(path)
    # dpkg knows a file by the name that it was unpacked under, with or without /usr.
    for name in dict.fromkeys([path, real, real.removeprefix("/usr"), path.removeprefix("/usr")]):
        found = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.split(":")[0]
    return None


@functools.cache
def field(package, name):
    return run("dpkg-query", "-W", "-f", "${%s}\n" % name, package).splitlines()[0]


def static_packages(program):
    found = {owner(path) for path in archives(program)} - {None}
    # The start of every C program, and the compiler's, which the linker is given as objects.
    return sorted(found | {owner(run("gcc", f"-print-file-name={name}").strip()) for name in ("crt1.o", "crtbegin.o")})


def libraries(program):
    """The packages of the libraries that a program itself names."""
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", program)))
    for name, path in re.findall(r"^\s*(\S+) (?:=> )?(/\S+)? ?\(", run("ldd", program), re.M) if needed else []:
        if os.path.basename(name) in needed and (found := owner(path or name)):
            yield found


class Licences:
    def __init__(self):
        self.texts = {}

    def of(self, package):
        """The licence of most of a package's files, by its copyright file."""
        text = pathlib.Path(f"/usr/share/doc/{package}/copyright").read_text(errors="replace")
        main = re.search(r"^Files: *\*\n(?:.*\n)*?License: *(.+)$", text, re.M) if re.match(r"Format:", text, re.I) else None
        if not main:
            return self.reference(package, text)
        words = [re.sub(r",$", "", word) for word in main[1].split()]
        return " ".join(
            word.upper() if word in ("and", "or") else word if word in SAME else SPDX.get(word) or self.reference(word, text, package)
            for word in words)

    def reference(self, name, text, package=""):
        if package:
            paragraph = re.search(rf"^License: *{re.escape(name)}\n((?: .*\n)+)", text, re.M)
            text = paragraph[1] if paragraph else text
        key = "LicenseRef-" + "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", part) for part in (package, name) if part)
        self.texts[key] = text
        return key


def digest(path, kind):
    return hashlib.new(kind, path.read_bytes()).hexdigest()


def document(programs, installed, version):
    licences, packages, files, relations = Licences(), {}, [], []
    release = dict(re.findall(r'^(\w+)="?(.*?)"?$', pathlib.Path("/etc/os-release").read_text(), re.M))

    def debian(name):
        if name not in packages:
            packages[name] = {
                "SPDXID": "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.]", "-", name), "name": name, "versionInfo": field(name, "Version"),
                "supplier": "Organization: Debian", "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
                "sourceInfo": f"built from {field(name, 'source:Package')} {field(name, 'source:Version')}",
                "licenseConcluded": "NOASSERTION", "licenseDeclared": licences.of(name), "copyrightText": "NOASSERTION",
                "externalRefs": [{
                    "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                    "referenceLocator": f"pkg:deb/debian/{name}@{field(name, 'Version').replace('+', '%2B')}"
                    f"?arch={field(name, 'Architecture')}&distro=debian-{release.get('VERSION_ID', '')}"}],
            }
        return packages[name]["SPDXID"]

    swift = re.search(r"Swift version (\S+)", run("scripts/swift.sh", "--version"))[1]
    packages[""] = {
        "SPDXID": "SPDXRef-Package-swift", "name": "swift", "versionInfo": swift, "supplier": "Organization: Swift.org",
        "downloadLocation": f"git+https://github.com/swiftlang/swift@swift-{swift}-RELEASE", "filesAnalyzed": False,
        "comment": "Its runtime and standard library are linked statically.", "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "Apache-2.0 WITH Swift-exception", "copyrightText": "NOASSERTION",
    }
    for built, name in (("vault", "vault-aws"), ("vaultd", "vaultd"), ("vault-team", "vault-team")):
        path = installed / name
        id = "SPDXRef-File-" + name
        files.append({
            "SPDXID": id, "fileName": f"./bin/{name}", "fileTypes": ["BINARY"],
            "checksums": [{"algorithm": kind.upper(), "checksumValue": digest(path, kind)} for kind in ("sha1", "sha256")],
            "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION"})
        linked = [("STATIC_LINK", "SPDXRef-Package-swift")]
        linked += [("STATIC_LINK", debian(found)) for found in static_packages(programs / built)]
        linked += [("DYNAMIC_LINK", debian(found)) for found in sorted(set(libraries(path)))]
        relations += [{"spdxElementId": id, "relationshipType": kind, "relatedSpdxElement": to} for kind, to in linked]
        relations.append({"spdxElementId": "SPDXRef-Package-vault-aws", "relationshipType": "CONTAINS", "relatedSpdxElement": id})
    sums = sorted(file["checksums"][0]["checksumValue"] for file in files)
    code = hashlib.sha1("".join(sums).encode()).hexdigest()
    own = {
        "SPDXID": "SPDXRef-Package-vault-aws", "name": "vault-aws", "versionInfo": version, "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION", "filesAnalyzed": True, "packageVerificationCode": {"packageVerificationCodeValue": code},
        "licenseConcluded": "Apache-2.0", "licenseDeclared": "Apache-2.0", "licenseInfoFromFiles": ["NOASSERTION"],
        "copyrightText": "NOASSERTION",
    }
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"])))
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"vault-aws-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/vault-aws-{version}-{code}",
        "creationInfo": {"created": made, "creators": ["Tool: vault-sbom"]},
        "packages": [own] + [packages[name] for name in sorted(packages)], "files": files,
        "relationships": [{
            "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": own["SPDXID"]}] + relations,
        "hasExtractedLicensingInfos": [
            {"licenseId": key, "extractedText": text} for key, text in sorted(licences.texts.items())],
    }


def main():
    if sys.argv[1:2] == ["--static"] and len(sys.argv) == 3:
        found = {(field(name, "source:Package"), field(name, "source:Version")) for name in static_packages(pathlib.Path(sys.argv[2]) / "vault")}
        for name, version in sorted(found):
            print(name, version)
    elif len(sys.argv) == 4:
        json.dump(document(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]), sys.stdout, indent=1, sort_keys=True)
        print()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
