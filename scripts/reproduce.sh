#!/usr/bin/env bash
# Builds what is committed once more, in a folder of another name, and compares the packages with those in dist/ byte for byte.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "$(ls -A dist 2>/dev/null)" ] || { echo "vault: dist is empty: make deb, or make release, first" >&2; exit 1; }
copy=$(mktemp -d)/another-folder
trap 'rm -rf "${copy%/*}"' EXIT
git clone -q . "$copy"
"$copy/scripts/build.sh"
SIGN= "$copy/scripts/package.sh" release
status=0
for file in dist/*; do
  case $file in *.minisig | *.asc | *.sig) continue ;; esac
  if cmp "$file" "$copy/$file"; then echo "vault: ${file#dist/}: same bytes"; else status=1; fi
done
exit $status
