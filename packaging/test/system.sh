#!/bin/bash
# Inside a fresh Debian, as root (scripts/package-test.sh). STS is the simulator's address.
set -euo pipefail
fail() {
  echo "vault: package-test: $1" >&2
  exit 1
}
say() { echo "  $1"; }
as_alice() { runuser -u alice -- env HOME=/home/alice STS="$STS" bash /packages/alice.sh "$@" || fail "$1"; }
home() { (cd /home/alice && find . -path ./.local/state -prune -o -type f -print | sort | xargs -d '\n' sha256sum); }
alternative() { [ "$(readlink -f /usr/bin/vault)" = "$1" ] || fail "/usr/bin/vault is $(readlink -f /usr/bin/vault), not $1"; }

useradd --create-home --shell /bin/bash alice
apt-get update -qq

started=$SECONDS
apt-get install -y -qq /packages/vault-aws.deb >/tmp/apt.log 2>&1 || { tail /tmp/apt.log >&2; fail "it does not install"; }
as_alice first
[ $((SECONDS - started)) -lt 60 ] || fail "the first exec came after $((SECONDS - started)) seconds"
say "installed, first exec after $((SECONDS - started)) seconds"
[ ! -e /etc/systemd/user/sockets.target.wants ] || fail "a unit is enabled"
systemd-analyze --user verify /usr/lib/systemd/user/vault.service /usr/lib/systemd/user/vault.socket /usr/lib/systemd/user/vault-ship.* \
  2>&1 | grep -i vault && fail "systemd finds fault with a unit"
alternative /usr/bin/vault-aws
for page in vault vault-aws vault-exec vault-aws-exec vaultd vault-team; do man -w $page >/dev/null || fail "no manual page $page"; done
say "units, manual, and the name vault by update-alternatives"

# HashiCorp's package after ours, and before it; ours again each time.
dpkg -i /packages/other.deb >/dev/null 2>&1
[ "$(vault)" = "Vault of HashiCorp" ] || fail "HashiCorp's vault does not run"
dpkg -i /packages/vault-aws.deb >/dev/null 2>&1 || fail "it does not install beside HashiCorp's"
[ "$(vault)" = "Vault of HashiCorp" ] || fail "HashiCorp's vault was overwritten"
as_alice list
dpkg -r vault-aws >/dev/null 2>&1
[ "$(vault)" = "Vault of HashiCorp" ] || fail "HashiCorp's vault was removed"
dpkg -i /packages/vault-aws.deb >/dev/null 2>&1 || fail "it does not install after HashiCorp's"
[ "$(vault)" = "Vault of HashiCorp" ] || fail "HashiCorp's vault was overwritten by a new package"
dpkg -P vault >/dev/null 2>&1
dpkg-reconfigure vault-aws >/dev/null 2>&1 || dpkg -i /packages/vault-aws.deb >/dev/null 2>&1
alternative /usr/bin/vault-aws
say "HashiCorp's vault stays what it is, in either order"
as_alice stop

# From the version before, with what it has: a database, an agent, a program that is served.
rm -rf /home/alice
mkhomedir_helper alice 2>/dev/null || { cp -r /etc/skel /home/alice && chown -R alice: /home/alice; }
apt-get remove -y -qq vault-aws >/dev/null 2>&1
apt-get install -y -qq /packages/before.deb >/tmp/apt.log 2>&1 || { tail /tmp/apt.log >&2; fail "the version before does not install"; }
as_alice before
apt-get install -y -qq /packages/vault-aws.deb >/tmp/apt.log 2>&1 || { tail /tmp/apt.log >&2; fail "it does not upgrade"; }
as_alice after
say "upgraded from $(cat ~alice/version): every row is there, and the program is served on"

dpkg -L vault-aws | while read -r path; do [ -d "$path" ] || echo "$path"; done >/tmp/files
as_alice stop
home >/tmp/home
apt-get purge -y -qq vault-aws >/dev/null 2>&1
home | cmp - /tmp/home || fail "a home changed with the removal"
while read -r path; do [ ! -e "$path" ] || fail "$path is left"; done </tmp/files
left=$(find /usr /etc /var/lib -xdev \( -name '*vault*' -o -name '_vault*' \) -not -path '/var/lib/apt/*' -not -path '/usr/share/*/gcr*')
[ -z "$left" ] || fail "left: $left"
say "removed: homes as they were, nothing left in /usr"

apt-get install -y -qq xz-utils >/dev/null 2>&1
as_alice tarball
say "the tarball runs from a folder of its own"
