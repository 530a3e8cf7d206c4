#!/usr/bin/env bash
# Installs the Debian package in fresh Debian 12 and 13, does the main job there as a plain user, upgrades from the version before with a
# running agent and a served program, and removes it. As root; the systems are kept in PACKAGE_TEST_CACHE.
#
# usage: package-test.sh [SUITE …]     (default: bookworm trixie)
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD cache=${PACKAGE_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vault-package-test} before=v0.1.0
mirror=${PACKAGE_TEST_MIRROR:-http://deb.debian.org/debian}
[ "$(id -u)" = 0 ] || { echo "vault: debootstrap and chroot need root: sudo make package-test" >&2; exit 1; }
[ $# -gt 0 ] || set -- bookworm trixie
mkdir -p "$cache"

work=$(mktemp -d)
simulator=
clean() {
  status=$?
  [ -z "$simulator" ] || kill "$simulator" 2>/dev/null || true
  rm -rf "$work"
  exit $status
}
trap clean EXIT
trap 'exit 130' INT TERM

# The version before, built once from its tag (or the commit, in a clone without tags), in a package made as today's.
if [ ! -x "$cache/$before/vault-team" ]; then
  commit=$(git -C "$root" rev-parse -q --verify "$before^{commit}" || echo 6c581a1f453a7108de77289908a6e576de46a447)
  git -C "$root" worktree add --detach "$work/before" "$commit" >/dev/null
  "$work/before/scripts/build.sh"
  mkdir -p "$cache/$before"
  cp "$work/before/.build/programs"/{vault,vaultd,vault-team} "$cache/$before"
  git -C "$root" worktree remove --force "$work/before"
fi
mkdir "$work/packages"
PACKAGE_VERSION=${before#v} PROGRAMS=$cache/$before DIST=$work/before-packages scripts/package.sh deb >"$work/log" 2>&1 || { tail -5 "$work/log" >&2; exit 1; }
DIST=$work/packages scripts/package.sh deb >"$work/log" 2>&1 || { tail -5 "$work/log" >&2; exit 1; }
DIST=$work/packages scripts/package.sh tarball
lintian --allow-root --fail-on error,warning "$work"/packages/*.deb
echo "vault: lintian finds nothing" >&2
cp "$work"/before-packages/vault-aws_*.deb "$work/packages/before.deb"
mv "$work"/packages/vault-aws_*.deb "$work/packages/vault-aws.deb"
mv "$work"/packages/vault-aws-*.tar.xz "$work/packages/vault-aws.tar.xz"

# HashiCorp's package, as far as it matters: a command of the same name, which is a file of its own.
mkdir -p "$work/other/DEBIAN" "$work/other/usr/bin"
printf '#!/bin/sh\necho Vault of HashiCorp\n' >"$work/other/usr/bin/vault"
chmod 755 "$work/other/usr/bin/vault"
printf 'Package: vault\nVersion: 1.20\nArchitecture: all\nMaintainer: Test <test@example.org>\nDescription: another vault\n' >"$work/other/DEBIAN/control"
dpkg-deb --root-owner-group --build "$work/other" "$work/packages/other.deb" >/dev/null

cat >"$work/world.json" <<'END'
{"users": [{"arn": "arn:aws:iam::123456789012:user/alice", "mayAssume": ["*"],
   "accessKeys": [{"id": "AKIAIOSFODNN7EXAMPLE", "secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}]}],
 "roles": [{"arn": "arn:aws:iam::123456789012:role/app", "trusts": ["arn:aws:iam::123456789012:user/alice"]}]}
END
mkfifo "$work/said"
.build/programs/sts-simulator --world "$work/world.json" >"$work/said" &
simulator=$!
read -r _ _ sts <"$work/said"

for suite in "$@"; do
  if [ ! -d "$cache/root.$suite" ]; then
    echo "vault: debootstrap $suite" >&2
    rm -rf "$cache/new.$suite"
    debootstrap --variant=minbase --include=ca-certificates,systemd,man-db "$suite" "$cache/new.$suite" "$mirror" >"$cache/$suite.log" 2>&1 \
      || { tail -5 "$cache/$suite.log" >&2; exit 1; }
    mv "$cache/new.$suite" "$cache/root.$suite"
  fi
  cp -a --reflink=auto "$cache/root.$suite" "$work/$suite"
  mkdir "$work/$suite/packages"
  cp "$work"/packages/vault-aws.* "$work"/packages/{before,other}.deb packaging/test/*.sh "$work/$suite/packages"
  cp -L /etc/resolv.conf "$work/$suite/etc/resolv.conf"
  echo "vault: $suite"
  # Its own processes, which end with it, and its own mounts.
  unshare --mount --pid --fork --kill-child --propagation slave sh -ec '
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    mount -t tmpfs tmpfs "$0/run"
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive STS="$1" chroot "$0" /bin/bash /packages/system.sh
  ' "$work/$suite" "$sts"
done
echo "vault: the packages install, work, upgrade and leave"
