#!/usr/bin/env bash
# Runs swift, from PATH or from where Debian machines of ours have it.
set -euo pipefail
if ! command -v swift >/dev/null; then
  PATH=/opt/swift/usr/bin:$PATH
fi
exec swift "$@"
