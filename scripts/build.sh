#!/usr/bin/env bash
# Builds the programs in release mode and puts them side by side in .build/programs, where the client finds the agent.
#
# The client is fully static, so that it starts like a C program; its flags and the agent's would change every other product, so they have
# build folders of their own.
set -euo pipefail
cd "$(dirname "$0")/.."

# The same bytes wherever they are built: programs and debug symbols name neither this folder nor the toolchain's, and look for no library
# beside the program.
toolchain=$(dirname "$(dirname "$(readlink -f "$(PATH=$PATH:/opt/swift/usr/bin command -v swift)")")")
# The compiler's hash of a module is over its own command line, and the cache of C modules is named after the folder.
anywhere=(--disable-local-rpath -Xswiftc -Xfrontend -Xswiftc -disable-incremental-llvm-codegen -Xswiftc -Xfrontend -Xswiftc -no-clang-module-breadcrumbs)
for map in "$PWD=/usr/src/vault-aws" "$toolchain=/usr/lib/swift"; do
  anywhere+=(-Xswiftc -file-prefix-map -Xswiftc "$map" -Xcc "-ffile-prefix-map=$map")
done

# The linker warns of dlopen in static programs (SQLite's extensions, which are off), SwiftPM of -pthread in libsecret's pkg-config file.
quiet() {
  local log status=0
  log=$(mktemp)
  scripts/swift.sh build -c release "$@" >"$log" 2>&1 || status=$?
  if [ $status -ne 0 ]; then
    cat "$log" >&2
  else
    grep -E 'warning:' "$log" | grep -vE "Using 'dlopen' in statically linked|is dangerous, better use|prohibited flag\(s\): -(pthread|DUTF8PROC_EXPORTS)" >&2 || true
  fi
  rm -f "$log"
  return $status
}

# After `make layout` the functions that are run stand side by side (docs/decisions/0007-layout.md).
laid_out() {
  local order=()
  # The compiler writes what macros become to a file, whose path is in the debug symbols, and which is called otherwise where one exists.
  local -x TMPDIR=$PWD/.build/tmp/$1
  rm -rf "$TMPDIR"
  mkdir -p "$TMPDIR"
  if [ -f ".build/layout/$1.txt" ]; then
    order=(-Xlinker "--symbol-ordering-file=$PWD/.build/layout/$1.txt" -Xlinker --no-warn-symbol-ordering)
  fi
  # The archives that the linker took code from are the packages that a program contains (scripts/sbom.py).
  quiet "${@:2}" --product "$1" --static-swift-stdlib -Xswiftc -use-ld=lld -Xswiftc -Xfrontend -Xswiftc -function-sections "${order[@]}" \
    "${anywhere[@]}" -Xlinker "--print-archive-stats=$PWD/.build/$1.archives"
}

echo "vault: building (two to four minutes the first time)" >&2
# A module is compiled by one thread, and the modules stand on one another: side by side, the two keep two cores busy.
# The one in the background is a process group, which an end before its time takes with it.
set -m
laid_out vault --scratch-path .build/static -Xswiftc -static-executable &
client=$!
set +m
trap 'kill -- "-$client" 2>/dev/null || true' EXIT
laid_out vaultd --scratch-path .build/agent -Xlinker -z -Xlinker now
# vaultd's modules are vault-team's.
laid_out vault-team --scratch-path .build/agent -Xlinker -z -Xlinker now
quiet --product sts-simulator --static-swift-stdlib
if [ "${1:-}" = bench ]; then quiet --product bench-inside --static-swift-stdlib; fi
wait "$client"
trap - EXIT
mkdir -p .build/programs
release=$(scripts/swift.sh build -c release --show-bin-path 2>/dev/null)
static=$(scripts/swift.sh build -c release --scratch-path .build/static --show-bin-path 2>/dev/null)
agent=$(scripts/swift.sh build -c release --scratch-path .build/agent --show-bin-path 2>/dev/null)
# Renamed into place: a running agent keeps the file it was started from.
for program in "$static/vault" "$agent/vaultd" "$agent/vault-team" "$release/sts-simulator"; do
  cp "$program" ".build/programs/.new" && mv -f .build/programs/.new ".build/programs/$(basename "$program")"
done
cp .build/vault{,d,-team}.archives .build/programs
if [ "${1:-}" = bench ]; then cp "$release/bench-inside" .build/programs/bench-inside; fi
