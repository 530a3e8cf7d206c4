#!/usr/bin/env bash
# Builds the programs in release mode and puts them side by side in .build/programs, where the client finds the agent.
#
# The client is fully static, so that it starts like a C program; its flags would change every other product, so it has a build folder
# of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

# The linker warns of dlopen in static programs (SQLite's extensions, which are off), SwiftPM of -pthread in libsecret's pkg-config file.
quiet() {
  local log status=0
  log=$(mktemp)
  scripts/swift.sh build -c release "$@" >"$log" 2>&1 || status=$?
  if [ $status -ne 0 ]; then
    cat "$log" >&2
  else
    grep -E 'warning:' "$log" | grep -vE "Using 'dlopen' in statically linked|is dangerous, better use|prohibited flag\(s\): -pthread" >&2 || true
  fi
  rm -f "$log"
  return $status
}

echo "vault: building (two to four minutes the first time)" >&2
quiet --scratch-path .build/static --product vault --static-swift-stdlib -Xswiftc -static-executable
quiet --product vaultd --static-swift-stdlib
quiet --product sts-simulator --static-swift-stdlib
if [ "${1:-}" = bench ]; then quiet --product bench-inside --static-swift-stdlib; fi
mkdir -p .build/programs
release=$(scripts/swift.sh build -c release --show-bin-path 2>/dev/null)
static=$(scripts/swift.sh build -c release --scratch-path .build/static --show-bin-path 2>/dev/null)
# Renamed into place: a running agent keeps the file it was started from.
for program in "$static/vault" "$release/vaultd" "$release/sts-simulator"; do
  cp "$program" ".build/programs/.new" && mv -f .build/programs/.new ".build/programs/$(basename "$program")"
done
if [ "${1:-}" = bench ]; then cp "$release/bench-inside" .build/programs/bench-inside; fi
