#!/usr/bin/env bash
# The main job, in the open: every command that is run, and what it really prints.
#
# AWS is played by moto's STS on this machine, the desktop by a private D-Bus with a real gnome-keyring; home and vault are temporary.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

if [ -z "${VAULT_DEMO_BUS:-}" ]; then
  # A bus of its own in any case: the demo must not touch a keyring that is somebody's.
  # As root in a container the bus says that it cannot raise a limit, which does not matter here.
  exec env VAULT_DEMO_BUS=1 dbus-run-session -- "$0" 2> >(grep -v 'Failed to set fd limit' >&2)
fi

stage=$(mktemp -d)
chmod 700 "$stage"
moto=
clean() {
  status=$?
  VAULT_HOME=$stage/vault "$root/.build/programs/vault" agent stop >/dev/null 2>&1 || true
  [ -z "$moto" ] || kill "$moto" 2>/dev/null || true
  [ -z "${keyring:-}" ] || kill "$keyring" 2>/dev/null || true
  rm -rf "$stage"
  exit "$status"
}
trap clean EXIT
trap 'exit 130' INT TERM

for name in $(compgen -e | grep -E '^(AWS_|VAULT_|XDG_|https?_proxy|HTTPS?_PROXY)' || true); do unset "$name"; done
export HOME=$stage/home VAULT_HOME=$stage/vault XDG_DATA_HOME=$stage/data XDG_RUNTIME_DIR=$stage/run
mkdir -p -m 700 "$HOME/.aws" "$XDG_DATA_HOME" "$XDG_RUNTIME_DIR"
PATH=$root/.build/programs:$root/.tools/bin:$PATH

keyring=$(printf 'demo' | gnome-keyring-daemon --components=secrets --unlock --daemonize | sed -n 's/^GNOME_KEYRING_PID=//p')

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
moto_server -H 127.0.0.1 -p "$port" >"$stage/moto.log" 2>&1 &
moto=$!
for _ in $(seq 200); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  kill -0 "$moto" 2>/dev/null || { cat "$stage/moto.log" >&2; echo "vault: moto_server does not start" >&2; exit 1; }
  sleep 0.1
done
export AWS_ENDPOINT_URL_STS=http://127.0.0.1:$port

cat >"$HOME/.aws/config" <<'END'
[profile MyApplicationDevProfile]
region = us-east-1

[profile app-dev]
role_arn = arn:aws:iam::123456789012:role/my-application-dev-role
source_profile = MyApplicationDevProfile
region = us-east-1

[profile app-dev-reports]
role_arn = arn:aws:iam::123456789012:role/my-application-reports-role
region = us-east-1
source_profile = app-dev
END
cat >"$HOME/.aws/credentials" <<'END'
[MyApplicationDevProfile]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
END

show() {
  printf '\n$ %s\n' "$*"
  "$@"
}

echo "A team's ~/.aws: a source profile with an access key, a role over it, and a role over that role."
show cat "$HOME/.aws/config"
show vault config --add trusted_endpoints "$AWS_ENDPOINT_URL_STS"
show vault import
show vault exec app-dev -- aws sts get-caller-identity | tee "$stage/identity"
show vault exec app-dev-reports -- aws sts get-caller-identity
show vault list
show vault show app-dev
show vault sessions
show vault audit
show vault audit verify
show vault master-key status

# What was shown is what is claimed: the program ran as the role, and the log says so.
grep -q ':assumed-role/my-application-dev-role/' "$stage/identity" || { echo "vault: the program did not run as the role" >&2; exit 1; }
rows=$(vault audit --action AssumeRole --outcome success --format jsonl | wc -l)
[ "$rows" -ge 2 ] || { echo "vault: the audit log lacks the calls" >&2; exit 1; }
if grep -rq wJalrXUtnFEMI "$VAULT_HOME"; then
  echo "vault: the secret lies in the clear in the vault" >&2
  exit 1
fi
printf '\nThe program ran as the role, %s calls are in the audit log, and no file of the vault holds the secret in the clear.\n' "$rows"
