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
[ $# -eq 0 ] || exec scripts/swift.sh test "$@"
# One part after the other: on a machine that is busy with killing agents, real timeouts pass elsewhere, such as a keyring's 3 seconds.
scripts/swift.sh build --build-tests

# One part of the tests. What failed is said once more at its end, where thousands of lines do not hide it.
part() {
  local log=.build/tests.log
  scripts/swift.sh test --skip-build "$@" 2>&1 | tee "$log" && return
  printf '\nvault: what failed:\n' >&2
  grep -E '✘|[Ff]atal error|error: ' "$log" | cut -c 1-600 | tail -n 20 >&2 || tail -n 20 "$log" >&2
  return 1
}
part --skip EndToEndTests
VAULT_TEST_TAGS=-torture part --filter EndToEndTests
VAULT_TEST_TAGS=torture part --filter EndToEndTests
