#!/usr/bin/env bash
# Puts all that is installed under PREFIX in DESTDIR: programs, user units, manual pages, completions, documentation. `make install` and every
# package are what this makes.
#
# usage: stage.sh [remove]
#
# variables:
#   DESTDIR, PREFIX    where to (default /usr/local)
#   NAME               what the command is called (default vault); the agent is NAMEd, and units, completions and manual pages follow
#   COMPANIONS         what the agent, vault-team and the units are named after (default NAME)
#   ALIAS              a second name of the command
#   SECURITY_CONTACT   who is told of a vulnerability
#   PROGRAMS           where the programs are (default .build/programs)
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022

die() {
  echo "vault: $1" >&2
  exit 1
}

prefix=${PREFIX:-/usr/local} name=${NAME:-vault} programs=${PROGRAMS:-.build/programs}
companions=${COMPANIONS:-$name}
for word in "$name" "$companions" "${ALIAS:-$name}"; do
  [[ $word =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$ ]] || die "NAME: \"$word\" cannot be a program's name: letters, digits, and . _ - inside"
done
[[ $prefix =~ ^/[A-Za-z0-9/._+@-]*$ || $prefix == @PREFIX@ ]] || die "PREFIX: \"$prefix\" is not an absolute path of letters, digits and . _ + @ -"

root=${DESTDIR:-}$prefix
bin=$root/bin units=$root/lib/systemd/user man=$root/share/man/man1 doc=$root/share/doc/$name

# NAME's completion files, one line each: the shell, and the file.
completions() {
  printf '%s\n' "bash $root/share/bash-completion/completions/$1" "zsh $root/share/zsh/site-functions/_$1" \
    "fish $root/share/fish/vendor_completions.d/$1.fish"
}

if [ "${1:-}" = remove ]; then
  # The installed program knows its manual pages best.
  pages=$("$bin/$name" --man --list 2>/dev/null) || pages=$name
  for page in $pages; do rm -f "$man/$page.1"; done
  rm -f "$bin/$name" "$bin/${companions}d" "$bin/$companions-team" "$man/${companions}d.1" "$man/$companions-team.1"
  for suffix in .service .socket -ship.service -ship.timer; do rm -f "$units/$companions$suffix"; done
  completions "$name" | while read -r _ file; do rm -f "$file"; done
  rm -rf "$doc"
  exit
fi

# Written, not copied: first there with its mode, whatever it was before. A unit that others can write runs what they like.
write() {
  install -d "${1%/*}"
  rm -f "$1"
  install -m 644 /dev/null "$1"
  cat >"$1"
}

fill() {
  sed -e "s|@PREFIX@|$prefix|g; s|@NAME@|$name|g; s|@COMPANIONS@|$companions|g; s|@VERSION@|$version|g" \
    -e "s|@SECURITY_CONTACT@|${contact//[\\|&]/\\&}|g" "$1"
}

. scripts/version.sh
contact=${SECURITY_CONTACT:-}
[ -n "$contact" ] || contact="the packager you got vault from"

install -d "$bin"
install -s -m 755 "$programs/vault" "$bin/$name"
install -s -m 755 "$programs/vaultd" "$bin/${companions}d"
install -s -m 755 "$programs/vault-team" "$bin/$companions-team"
for unit in packaging/systemd/vault*; do fill "$unit" | write "$units/$companions${unit#packaging/systemd/vault}"; done

# The client writes its own manual and completions, by the name under which it is started.
client=$(realpath "$bin/$name")
# That of an earlier version has one page.
mapfile -t pages < <("$client" --man --list | grep -xE "$name(-[a-z-]+)?" || echo "$name")
for page in "${pages[@]}"; do "$client" --man "$page" | write "$man/$page.1"; done
for page in d -team; do fill "packaging/man/vault$page.1" | write "$man/$companions$page.1"; done
completions "$name" | while read -r shell file; do "$client" completion "$shell" | write "$file"; done
if [ -n "${ALIAS:-}" ]; then
  ln -sf "$name" "$bin/$ALIAS"
  completions "$ALIAS" | while read -r shell file; do "$bin/$ALIAS" completion "$shell" | write "$file"; done
  for page in "${pages[@]}"; do ln -sf "$page.1" "$man/$ALIAS${page#"$name"}.1"; done
fi

for page in README.md CHANGELOG.md LICENSE docs/*.md docs/decisions/*.md docs/images/*; do write "$doc/$page" <"$page"; done
fill SECURITY.md | write "$doc/SECURITY.md"
