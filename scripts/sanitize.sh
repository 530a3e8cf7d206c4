#!/usr/bin/env bash
# Runs the modules' tests under the thread sanitizer and the address sanitizer, each in a build folder of its own.
#
# usage: sanitize.sh [thread|address …]      (TESTS: which test targets, default all that are listed here)
#
# Tests that measure memory or time are left out. Then the agent, under the same sanitizer, serves the tests that run the programs, but for
# those that install them (AGENT_TESTS: which; the client is static, and stays as it is). Before a sanitizer's word counts, a program that does what it is to find
# must fail under it.
set -euo pipefail
cd "$(dirname "$0")/.."
tests=${TESTS:-VaultBytesTests VaultModelTests VaultConcurrencyTests VaultSecretsTests AWSConfigTests AWSClientTests VaultStoreTests VaultAgentTests}
agent_tests=${AGENT_TESTS:-EndToEndTests}
for name in $(compgen -e | grep -E '^(AWS_|VAULT_(HOME|KEYSTORE|PASSPHRASE)|DBUS_|XDG_|https?_proxy|HTTPS?_PROXY|CURL_CA_BUNDLE)' || true); do
  unset "$name"
done
export VAULT_TEST_TAGS='-torture -measures'
export VAULT_SANITIZED=1 VAULT_PROGRAMS=${VAULT_PROGRAMS:-$PWD/.build/programs} VAULT_TEST_VENV=${VAULT_TEST_VENV:-$PWD/.tools}
# The test library itself leaks; a report ends a test's process with a status of its own.
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=0 TSAN_OPTIONS=halt_on_error=0:exitcode=66
# The toolchain's own handler would take a crash before the sanitizer has described it.
export SWIFT_BACKTRACE=enable=no

canary() {
  local sanitizer=$1 source=$2 words=$3 program log=.build/sanitize/canary-$1.log
  program=.build/sanitize/canary-$sanitizer
  # The linker warns of the sanitizer's own symbols.
  "$toolchain/swiftc" -Onone -sanitize="$sanitizer" "Tests/Sanitizers/$source" -o "$program" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
  if LD_PRELOAD=$preload "$program" >"$log" 2>&1 || ! grep -qE "$words" "$log"; then
    cat "$log" >&2
    echo "vault: the $sanitizer sanitizer does not see $source; what it says of the tests would prove nothing" >&2
    return 1
  fi
  echo "$sanitizer: the canary fails, as it must: $(grep -oE "$words" "$log" | head -1)"
}

# The tests of the programs, against an agent that was built with the sanitizer.
served() {
  local sanitizer=$1 found=$PWD/.build/sanitize/$1-agent programs=$PWD/.build/sanitize/$1-programs log=.build/sanitize/$1-EndToEndTests.log
  env -u VAULT_SANITIZED scripts/swift.sh build --product vaultd --sanitize="$sanitizer" --scratch-path "$2" -Xswiftc -DSANITIZED \
    >".build/sanitize/build-$sanitizer-agent.log" 2>&1 || { tail -30 ".build/sanitize/build-$sanitizer-agent.log" >&2; return 1; }
  rm -rf "$found" "$programs"
  mkdir -p "$found" "$programs"
  cp "$VAULT_PROGRAMS"/{vault,vault-team,sts-simulator} "$programs"
  # The client starts what lies beside its own file. A report goes to a file: the agent's standard error is its user's log.
  cat >"$programs/vaultd" <<END
#!/bin/sh
export LD_PRELOAD=$preload ASAN_OPTIONS=detect_leaks=0:log_path=$found/report
export TSAN_OPTIONS=exitcode=0:log_path=$found/report:suppressions=$PWD/Tests/Sanitizers/thread.txt
exec $PWD/$2/debug/vaultd "\$@"
END
  chmod +x "$programs/vaultd"
  env -u VAULT_SANITIZED scripts/swift.sh build --build-tests >".build/sanitize/build-tests.log" 2>&1 \
    || { tail -30 .build/sanitize/build-tests.log >&2; return 1; }
  if env -u VAULT_SANITIZED VAULT_PROGRAMS="$programs" VAULT_TEST_WIDTH=3 scripts/swift.sh test --skip-build \
    --filter "$agent_tests" --skip ManualTests >"$log" 2>&1 && [ -z "$(ls "$found")" ]; then
    echo "$sanitizer: the agent under $agent_tests: $(grep -oE '(Test run with|Executed) [0-9]+ tests?' "$log" | tail -1), nothing found"
  else
    echo "$sanitizer: the agent under $agent_tests: FAILED, see $log and $found" >&2
    cat "$found"/* "$log" 2>/dev/null | grep -aE '^SUMMARY:|recorded an issue' | sort | uniq -c | head -20 >&2
    return 1
  fi
}

# The toolchain's programs beside `swift`.
toolchain=$(dirname "$(PATH=$PATH:/opt/swift/usr/bin command -v swiftc)")
mkdir -p .build/sanitize
status=0
[ $# -gt 0 ] || set -- thread address
for sanitizer in "$@"; do
  case $sanitizer in
    thread)
      folder=.build/tsan
      "$toolchain/clang" -O1 -Wall -shared -fPIC Tests/Sanitizers/SeenMutex.c -o .build/sanitize/seen-mutex.so
      preload=$PWD/.build/sanitize/seen-mutex.so
      canary thread DataRace.swift 'ThreadSanitizer: .* race'
      ;;
    address) folder=.build/asan && preload='' && canary address UseAfterFree.swift 'AddressSanitizer: heap-use-after-free' ;;
    *) echo "usage: sanitize.sh [thread|address ...]" >&2 && exit 64 ;;
  esac
  echo "$sanitizer: building (some minutes the first time)" >&2
  # What is built like this keeps the sanitizer's own variables, which the agent would leave behind.
  build=(--sanitize="$sanitizer" --scratch-path "$folder" -Xswiftc -DSANITIZED)
  scripts/swift.sh build --build-tests "${build[@]}" >".build/sanitize/build-$sanitizer.log" 2>&1 \
    || { tail -30 ".build/sanitize/build-$sanitizer.log" >&2; exit 1; }
  for target in $tests; do
    log=.build/sanitize/$sanitizer-$target.log
    if LD_PRELOAD=$preload scripts/swift.sh test --skip-build "${build[@]}" \
      --filter "^$target\." >"$log" 2>&1 \
      && ! grep -qE '(Thread|Address)Sanitizer:' "$log"; then
      echo "$sanitizer: $target: $(grep -oE '(Test run with|Executed) [0-9]+ tests?' "$log" | tail -1), nothing found"
    else
      status=1
      echo "$sanitizer: $target: FAILED, see $log" >&2
      grep -aE 'WARNING: ThreadSanitizer|ERROR: AddressSanitizer|SUMMARY:|recorded an issue' "$log" | sort | uniq -c | head -20 >&2
    fi
  done
  served "$sanitizer" "$folder" || status=1
done
exit $status
