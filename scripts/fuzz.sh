#!/usr/bin/env bash
# Feeds every parser random input, each for some seconds; what breaks one is left in .build/fuzz/crashes.
#
# usage: fuzz.sh [TARGET …]      (SECONDS_EACH, default 60)
set -euo pipefail
cd "$(dirname "$0")/.."
each=${SECONDS_EACH:-60}
export VAULT_WITH_FUZZ=1
mkdir -p .build/fuzz/crashes
echo "vault: building the fuzz targets" >&2
scripts/swift.sh build -c release --scratch-path .build/fuzz --product fuzz -Xswiftc -sanitize=fuzzer,address \
  -Xswiftc -parse-as-library -Xswiftc -enable-testing >.build/fuzz.log 2>&1 || { tail -30 .build/fuzz.log >&2; exit 1; }
program=$(scripts/swift.sh build -c release --scratch-path .build/fuzz --show-bin-path 2>/dev/null)/fuzz
targets=("$@")
[ ${#targets[@]} -gt 0 ] || read -ra targets < <(VAULT_FUZZ='' "$program" -runs=1 2>&1 | sed -n 's/^VAULT_FUZZ is one of //p')
status=0
for target in "${targets[@]}"; do
  corpus=.build/fuzz/corpus/$target
  mkdir -p "$corpus"
  [ ! -d "Tests/Fuzz/Seeds/$target" ] || cp -n Tests/Fuzz/Seeds/"$target"/* "$corpus"/
  # Without it the toolchain's own handler takes the crash before libFuzzer can write it down.
  if SWIFT_BACKTRACE=enable=no VAULT_FUZZ=$target "$program" "$corpus" -max_total_time="$each" -max_len=8192 -timeout=5 -rss_limit_mb=1024 \
    -artifact_prefix=".build/fuzz/crashes/$target-" -print_final_stats=1 >".build/fuzz/$target.log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' ".build/fuzz/$target.log")
    echo "$target: $runs inputs, nothing broke"
  else
    status=1
    echo "$target: BROKE" >&2
    grep -aE 'does not hold|ERROR|Fatal|SUMMARY|Test unit written' ".build/fuzz/$target.log" | head -5 >&2
  fi
done
exit $status
