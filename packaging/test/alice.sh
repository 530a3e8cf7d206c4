#!/bin/bash
# What the plain user does in that Debian. usage: alice.sh first|list|before|after|stop|tarball
set -euo pipefail
cd ~
export AWS_ENDPOINT_URL_STS=$STS VAULT_KEYSTORE=passphrase VAULT_PASSPHRASE_FILE=$HOME/passphrase
unset XDG_RUNTIME_DIR
fail() {
  echo "vault: package-test: alice: $1" >&2
  exit 1
}

files() {
  umask 077
  echo "a passphrase of many words" >passphrase
  mkdir -p .aws
  printf '[profile source]\nregion = us-east-1\n[profile app-dev]\nrole_arn = arn:aws:iam::123456789012:role/app\nsource_profile = source\nregion = us-east-1\n' >.aws/config
  printf '[source]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n' >.aws/credentials
}

# The running program's credentials: what it is served at its address, by its token.
ask() {
  local address=${AWS_CONTAINER_CREDENTIALS_FULL_URI#http://} host path
  host=${address%%/*} path=/${address#*/}
  exec 3<>"/dev/tcp/${host%:*}/${host#*:}" || return
  printf 'GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nConnection: close\r\n\r\n' "$path" "$host" "$AWS_CONTAINER_AUTHORIZATION_TOKEN" >&3
  timeout 20 cat <&3
  exec 3>&-
}

case $1 in
first)
  files
  vault-aws config --add trusted_endpoints "$STS"
  vault-aws import
  [[ $(vault-aws exec app-dev -- printenv AWS_ACCESS_KEY_ID) == ASIA* ]] || fail "exec gave no temporary key"
  vault-aws list | grep -q app-dev || fail "list does not show the profile"
  vault-aws audit verify || fail "the log is not verified"
  ;;
tarball)
  tar -xJf /packages/vault-aws.tar.xz
  cd vault-aws-*/
  [[ $(bin/vault exec app-dev -- printenv AWS_ACCESS_KEY_ID) == ASIA* ]] || fail "the tarball's exec gave no key"
  tr "\0" " " <"/proc/$(bin/vault agent status | sed -n "s/^pid: //p")/cmdline" | grep -q "^$PWD/bin/vaultd " || fail "another agent than the tarball's runs"
  bin/vault agent stop
  ;;
list) vault-aws list | grep -q app-dev ;;
stop) vault-aws agent stop >/dev/null 2>&1 || true ;;
before)
  files
  vault-aws --version | sed 's/^vault //' >version
  vault-aws import
  vault-aws exec app-dev -- true
  # Asks once for each line that it is given.
  mkfifo questions answers
  setsid vault-aws exec --server app-dev -- bash -c "$(declare -f ask)
    exec 4<>questions 5<>answers
    while read -r _ <&4; do ask 2>&1 | tr -d '\r' | grep -o -e '^HTTP.*' -e '\"AccessKeyId\":\"[A-Z0-9]*' | tr '\n' ' ' >&5; echo >&5; done" >program.log 2>&1 </dev/null &
  echo >questions
  read -r -t 30 answer <answers || fail "the program does not start: $(cat program.log)"
  [[ $answer == *" 200 "*ASIA* ]] || fail "the program was not served: $answer"
  vault-aws audit --limit 1000 --format jsonl | grep -o '"id":"evt_[a-z0-9]*"' | sort >rows
  [ -s rows ] || fail "the version before has no rows"
  ;;
after)
  [ "$(vault-aws --version)" != "vault $(cat version)" ] || fail "the program is still that of the version before"
  vault-aws agent stop
  vault-aws config --add trusted_endpoints "$STS"
  vault-aws unlock
  [[ $(vault-aws exec app-dev -- printenv AWS_ACCESS_KEY_ID) == ASIA* ]] || fail "no session after the upgrade"
  echo >questions
  read -r -t 30 answer <answers || fail "the program has ended: $(cat program.log)"
  [[ $answer == *" 200 "*ASIA* ]] || fail "the program is not served on: $answer"
  vault-aws audit --limit 1000 --format jsonl | grep -o '"id":"evt_[a-z0-9]*"' | sort >rows.after
  lost=$(comm -23 rows rows.after)
  [ -z "$lost" ] || fail "rows are lost: $lost"
  vault-aws audit verify || fail "the log is not verified"
  vault-aws access-key list | grep -q source || fail "the access key is lost"
  ;;
esac
