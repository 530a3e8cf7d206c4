#!/usr/bin/env bash
# Runs the tests against the programs that were built, with nothing of this login's AWS or desktop settings about.
#
# usage: test.sh [swift test's options]
set -euo pipefail
cd "$(dirname "$0")/.."
for name in $(compgen -e | grep -E '^(AWS_|VAULT_(HOME|KEYSTORE|PASSPHRASE)|DBUS_|XDG_|https?_proxy|HTTPS?_PROXY|CURL_CA_BUNDLE)' || true); do
  unset "$name"
done
export VAULT_PROGRAMS=$PWD/.build/programs VAULT_TEST_VENV=$PWD/.tools
if [ $# -gt 0 ]; then
  # Whatever is named, it may start agents (below).
  export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4
  exec scripts/swift.sh test "$@"
fi
# One after the other, since a machine that is busy with killing agents makes real deadlines (a keyring's 3 s) pass elsewhere; and of what
# starts agents, which each derive a key from a passphrase in 256 MiB, only a few at one time.
scripts/swift.sh build --build-tests
scripts/swift.sh test --skip-build --skip EndToEndTests
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4
scripts/swift.sh test --skip-build --filter EndToEndTests --skip TortureTests
scripts/swift.sh test --skip-build --filter TortureTests
