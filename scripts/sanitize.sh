#!/usr/bin/env bash
# Runs the modules' tests under the thread sanitizer and the address sanitizer, each in a build folder of its own.
#
# usage: sanitize.sh [thread|address …]      (TESTS: which test targets, default all that are listed here)
#
# The programs and the tests that run them are left out: they are built without a sanitizer; so is a test whose bound is a time. Before a
# sanitizer's word counts, a program that does what it is to find must fail under it.
set -euo pipefail
cd "$(dirname "$0")/.."
tests=${TESTS:-VaultModelTests VaultSecretsTests AWSConfigTests AWSClientTests VaultStoreTests VaultAgentTests}
for name in $(compgen -e | grep -E '^(AWS_|VAULT_(HOME|KEYSTORE|PASSPHRASE)|DBUS_|XDG_|https?_proxy|HTTPS?_PROXY|CURL_CA_BUNDLE)' || true); do
  unset "$name"
done
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
  build=(--sanitize="$sanitizer" --scratch-path "$folder")
  scripts/swift.sh build --build-tests "${build[@]}" >".build/sanitize/build-$sanitizer.log" 2>&1 \
    || { tail -30 ".build/sanitize/build-$sanitizer.log" >&2; exit 1; }
  for target in $tests; do
    log=.build/sanitize/$sanitizer-$target.log
    if LD_PRELOAD=$preload scripts/swift.sh test --skip-build "${build[@]}" \
      --filter "^$target\." --skip 'HostileFileTests/summaries' >"$log" 2>&1 \
      && ! grep -qE '(Thread|Address)Sanitizer:' "$log"; then
      echo "$sanitizer: $target: $(grep -oE '(Test run with|Executed) [0-9]+ tests?' "$log" | tail -1), nothing found"
    else
      status=1
      echo "$sanitizer: $target: FAILED, see $log" >&2
      grep -aE 'WARNING: ThreadSanitizer|ERROR: AddressSanitizer|SUMMARY:|recorded an issue' "$log" | sort | uniq -c | head -20 >&2
    fi
  done
done
exit $status
