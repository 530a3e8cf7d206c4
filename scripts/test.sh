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
exec scripts/swift.sh test "$@"
