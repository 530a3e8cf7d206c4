#!/usr/bin/env bash
# Installs what the named tasks need and the machine lacks: Debian packages, and PyPI's tools in .tools/.
#
# usage: setup.sh TASK …      (build, test, demo, bench, layout, lint, package, package-test)
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
  echo "vault: $1" >&2
  exit 1
}

PATH=$PATH:/opt/swift/usr/bin
command -v swift >/dev/null || die "Swift 6.2 is missing: install the toolchain from swift.org (in PATH or /opt/swift)"

packages=()
python=
for task in "$@"; do
  case $task in
    build) packages+=(libsqlite3-dev zlib1g-dev libsodium-dev libsecret-1-dev libcurl4-openssl-dev libexpat1-dev libjansson-dev libssl-dev liboath-dev libqrencode-dev libmicrohttpd-dev libpq-dev libutf8proc-dev libtermkey-dev libunibilium-dev libtomlplusplus-dev libyaml-dev pkg-config) ;;
    test) packages+=(dbus gnome-keyring gcr libsecret-tools libglib2.0-bin procps strace sqlite3 wrk util-linux systemd groff-base less mount iproute2 socat openssl postgresql python3-venv zsh fish direnv chromium-headless-shell python3-dbusmock bash-completion) && python=yes ;;
    demo) packages+=(dbus gnome-keyring python3-venv) && python=yes ;;
    bench) packages+=(dbus gnome-keyring sqlite3 wrk util-linux postgresql python3-venv) && python=yes ;;
    layout) packages+=(valgrind binutils python3) ;;
    package) packages+=(dpkg-dev binutils xz-utils gzip perl python3 rpm lintian) ;;
    package-test) packages+=(debootstrap util-linux python3-venv) && python=yes ;;
    lint) command -v python3 >/dev/null || packages+=(python3) ;;
    *) die "no task \"$task\"" ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "these Debian packages are missing, and there is no sudo to install them: ${missing[*]}"
    root=(sudo)
  fi
  command -v apt-get >/dev/null || die "these packages are missing, and this is no Debian: ${missing[*]}"
  echo "vault: installing ${missing[*]}" >&2
  log=$(mktemp)
  # Debian's PostgreSQL begins by making a cluster and starting it; tests and benchmarks start servers of their own, and nothing else is to run.
  no_cluster=
  case " ${missing[*]} " in *" postgresql "*)
    no_cluster=/etc/postgresql-common/createcluster.d/vault-no-cluster.conf
    "${root[@]}" mkdir -p "${no_cluster%/*}"
    echo 'create_main_cluster = false' | "${root[@]}" tee "$no_cluster" >/dev/null
    ;;
  esac
  trap 'rm -f "$log"; if [ -n "$no_cluster" ]; then "${root[@]}" rm -f "$no_cluster"; "${root[@]}" rmdir --ignore-fail-on-non-empty "${no_cluster%/*}"; fi' EXIT
  if ! { "${root[@]}" apt-get update -qq && "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -5 "$log" >&2
    die "these Debian packages could not be installed: ${missing[*]}"
  fi
fi

if [ -n "$python" ] && ! cmp -s scripts/requirements.txt .tools/installed.txt; then
  echo "vault: installing moto, boto3, the AWS CLI, awsume, joserfc and python-hcl2 in .tools/" >&2
  rm -rf .tools
  python3 -m venv .tools || die "python3 cannot make a virtual environment"
  .tools/bin/pip install --quiet --disable-pip-version-check -r scripts/requirements.txt || die "PyPI's packages could not be installed"
  cp scripts/requirements.txt .tools/installed.txt
fi
