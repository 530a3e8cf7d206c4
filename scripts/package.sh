#!/usr/bin/env bash
# Makes packages of the programs in .build/programs, in dist/. The same source and toolchain make the same bytes, wherever and whenever.
#
# usage: package.sh deb|rpm|tarball|release
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022
export TZ=UTC LC_ALL=C.UTF-8
. scripts/version.sh
programs=${PROGRAMS:-.build/programs} dist=${DIST:-dist} package=vault-aws
contact=${SECURITY_CONTACT:-vault packagers <packagers@example.org>}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$dist"

die() {
  echo "vault: $1" >&2
  exit 1
}

# Everything is called vault-aws; `vault` is a second name, so that it can be another package's.
stage() { DESTDIR=$1 PREFIX=$2 NAME=$package COMPANIONS=vault ALIAS=vault PROGRAMS=$programs scripts/stage.sh; }

# Nothing is newer than the commit.
clamp() { find "$1" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# A system's package, below /usr. The second name's files leave the tree: update-alternatives sets them, and $work/alternatives has the words.
# HashiCorp's package has /usr/bin/vault as a file of its own, which then stays.
system() {
  local root=$1 zsh=$2 shell link target
  stage "$root" /usr
  find "$root/usr/share/man" -type f -exec gzip -9n {} +
  [ "$root$zsh" -ef "$root/usr/share/zsh/site-functions" ] || mv "$root/usr/share/zsh/site-functions" "$root$zsh"
  rm "$root/usr/bin/vault"
  mkdir -p "$root/usr/share/$package/completions"
  {
    printf '%s' "--install /usr/bin/vault vault /usr/bin/$package 50"
    for link in "$root"/usr/share/man/man1/*.1; do
      target=/usr/share/man/man1/$(readlink "$link").gz
      rm "$link"
      link=${link##*/}
      printf ' \\\n    --slave %s %s %s' "/usr/share/man/man1/$link.gz" "$link.gz" "$target"
    done
    for shell in bash:/usr/share/bash-completion/completions/vault "zsh:$zsh/_vault" fish:/usr/share/fish/vendor_completions.d/vault.fish; do
      link=${shell#*:} shell=${shell%%:*} target=/usr/share/$package/completions/vault.${shell%%:*}
      mv "$root$link" "$root$target"
      printf ' \\\n    --slave %s %s %s' "$link" "vault.$shell" "$target"
    done
    echo
  } >"$work/alternatives"
}

# Takes the place of the line @ALTERNATIVES@.
with_alternatives() { ALTERNATIVES=$(<"$work/alternatives") perl -pe 's/\@ALTERNATIVES\@/$ENV{ALTERNATIVES}/' "$1"; }

deb() {
  local root=$work/deb symbols=$work/dbgsym source=$work/source release id program ids=() doc static
  doc=$root/usr/share/doc/$package
  # Debian 13's package of a version replaces Debian 12's.
  release=1~deb$(. /etc/os-release && echo "${VERSION_ID:-0}")
  system "$root" /usr/share/zsh/vendor-completions
  gzip -9n <"$doc/CHANGELOG.md" >"$doc/changelog.gz"
  rm "$doc/CHANGELOG.md" "$doc/LICENSE"
  cp packaging/debian/copyright "$doc"
  install -D -m 644 packaging/debian/lintian-overrides "$root/usr/share/lintian/overrides/$package"

  for program in vault vaultd vault-team; do
    id=$(readelf -n "$programs/$program" | sed -n 's/.*Build ID: //p')
    ids+=("$id")
    mkdir -p "$symbols/usr/lib/debug/.build-id/${id:0:2}"
    objcopy --only-keep-debug --compress-debug-sections "$programs/$program" "$symbols/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
    chmod 644 "$symbols/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
  done
  mkdir -p "$symbols/usr/share/doc"
  ln -s $package "$symbols/usr/share/doc/$package-dbgsym"

  mkdir -p "$source/debian" "$root/DEBIAN" "$symbols/DEBIAN"
  sed "s|@SECURITY_CONTACT@|${contact//[\\|&]/\\&}|" packaging/debian/control >"$source/debian/control"
  cat >"$source/debian/changelog" <<END
$package ($version-$release) unstable; urgency=medium

  * Version $version: see changelog.gz.

 -- $contact  $(date -R -d "@$SOURCE_DATE_EPOCH")
END
  gzip -9n <"$source/debian/changelog" >"$doc/changelog.Debian.gz"
  static=$(static_packages)
  (
    cd "$source"
    dpkg-shlibdeps "$root/usr/bin/vaultd" "$root/usr/bin/vault-team"
    echo "static:Built=$static" >>debian/substvars
    dpkg-gencontrol -p$package -P"$root"
    dpkg-gencontrol -p$package-dbgsym -P"$symbols" -DAuto-Built-Package=debug-symbols -DBuild-Ids="${ids[*]}"
  )
  for script in postinst prerm; do
    with_alternatives packaging/debian/$script >"$root/DEBIAN/$script"
    chmod 755 "$root/DEBIAN/$script"
  done
  for tree in "$root" "$symbols"; do
    (cd "$tree" && find usr -type f | sort | xargs md5sum >DEBIAN/md5sums)
    clamp "$tree"
    dpkg-deb --root-owner-group -Zxz --threads-max=1 --build "$tree" "$dist" | sed 's/^dpkg-deb: /vault: /' >&2
  done
}

# The Debian packages whose code is in the static client.
static_packages() { [ ! -e "$programs/vault.archives" ] || scripts/sbom.py --static "$programs" | sed 's/\(.*\) \(.*\)/\1 (= \2)/' | paste -sd, | sed 's/,/, /g'; }

rpm() {
  local root=$work/rpm
  system "$root" /usr/share/zsh/site-functions
  clamp "$root"
  (cd "$root" && find usr -type f -o -type l | sed 's|^|/|' | sort) >"$work/files"
  with_alternatives packaging/rpm/$package.spec >"$work/$package.spec"
  rpmbuild -bb --quiet --define "_topdir $work/rpmbuild" --define "staged $root" --define "filelist $work/files" --define "version_ $version" \
    --define "contact $contact" --define "_buildhost localhost" --define "use_source_date_epoch_as_buildtime 1" \
    --define "clamp_mtime_to_source_date_epoch 1" --define "_binary_payload w6.xzdio" "$work/$package.spec"
  cp "$work"/rpmbuild/RPMS/*/*.rpm "$dist"
}

# Below a folder of its own, with units that name no folder yet.
tarball() {
  local name
  name=$package-$version-linux-$(uname -m)
  stage "$work/tarball/$name/" @PREFIX@
  mv "$work/tarball/$name/@PREFIX@"/* "$work/tarball/$name"
  rmdir "$work/tarball/$name/@PREFIX@"
  cp packaging/INSTALL.md "$work/tarball/$name"
  clamp "$work/tarball"
  tar -C "$work/tarball" --sort=name --owner=0 --group=0 --numeric-owner --format=gnu -c "$name" | xz -6 -T1 >"$dist/$name.tar.xz"
  echo "vault: $dist/$name.tar.xz" >&2
}

release() {
  local old
  [ -z "$(git status --porcelain)" ] || die "a release is made of what is committed: commit or stash your changes"
  [ ! -d .build/layout ] || die "the programs were built with the functions laid out for this machine: rm -r .build/layout, and build again"
  [ -n "${SECURITY_CONTACT:-}" ] || echo "vault: SECURITY_CONTACT is not set: the packages say that vulnerabilities go to \"$contact\"" >&2
  for old in "$dist"/*; do [ ! -e "$old" ] || die "$dist is not empty: a release has nothing in it but its own"; done
  deb && rpm && tarball
  stage "$work/sbom" /usr
  scripts/sbom.py "$programs" "$work/sbom/usr/bin" "$version" >"$dist/$package-$version.spdx.json"
  (cd "$dist" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
  if [ -n "${SIGN:-}" ]; then
    read -ra words <<<"$SIGN"
    "${words[@]}" "$dist/SHA256SUMS"
  else
    echo "vault: SIGN is not set: SHA256SUMS is not signed (docs/install.md)" >&2
  fi
  ls -l "$dist" >&2
}

case ${1:-} in
deb | rpm | tarball) "$1" ;;
release) release ;;
*) sed -n '/^# usage/s/# //p' "$0" >&2 && exit 64 ;;
esac
