#!/usr/bin/env bash
# Runs the schedules of a team's laptops in virtual time, and holds them to their limits (docs/simulation.md).
#
# usage: simulate.sh [--seed N] [--laptops N] [--sessions N] [--days N] [--svg FILE]
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "vault: building the simulation" >&2
scripts/swift.sh build -c release --product rotation-simulation >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
"$(scripts/swift.sh build -c release --show-bin-path 2>/dev/null)/rotation-simulation" "$@"
