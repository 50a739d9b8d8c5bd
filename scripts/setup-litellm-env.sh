#!/bin/sh
# Makes .env from .env.example and generates the gateway's own two keys and the passwords of docker-compose.yml where
# they are missing.
#
#   scripts/setup-litellm-env.sh [FILE]     FILE defaults to .env beside .env.example
#
# A value that is there is never changed, so it is safe to run again. Nothing secret is printed. The file is readable
# by its owner only (mode 600).
set -eu
umask 077
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
file=${1:-$root/.env}
example=$root/.env.example

say() { printf '%s\n' "setup-litellm-env: $*"; }
fail() { printf '%s\n' "setup-litellm-env: $*" >&2; exit 1; }

# Two runs at once must not each generate a key: the second waits for the first, ten seconds at most.
lock=$file.lock
tries=0
until mkdir "$lock" 2>/dev/null; do
  [ -d "$(dirname -- "$file")" ] || fail "there is no folder $(dirname -- "$file")"
  tries=$((tries + 1))
  [ "$tries" -le 10 ] || fail "$lock is in the way; remove it if no other setup is running"
  sleep 1
done
new=$file.new.$$
trap 'rm -f "$new"; rmdir "$lock"' EXIT
trap 'exit 1' HUP INT TERM

# A link is followed, so that the file it points at is changed and not replaced.
[ ! -L "$file" ] || file=$(readlink -f -- "$file")

if [ ! -e "$file" ]; then
  [ -r "$example" ] || fail "$example is missing"
  cp -- "$example" "$new"
  mv -- "$new" "$file"
  say "made $file from .env.example"
fi
[ -f "$file" ] || fail "$file is not a file"

# Whether some line gives the name a value; '' and "" are none.
has_value() {
  grep -Eq "^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*=[[:space:]]*(\"[^\"]+\"|'[^']+'|[^\"'#[:space:]])" "$file"
}

# Fills in the first empty line of that name, or adds one. The value goes through the environment, as arguments can be
# seen by every user of the machine.
set_value() {
  NAME=$1 VALUE=$2 awk '
    BEGIN { name = ENVIRON["NAME"]; pattern = "^[ \t]*(export[ \t]+)?" name "[ \t]*=" }
    !is_done && $0 ~ pattern { sub(/=.*/, "="); print $0 ENVIRON["VALUE"]; is_done = 1; next }
    { print }
    END { if (!is_done) print name "=" ENVIRON["VALUE"] }
  ' "$file" > "$new"
  mv -- "$new" "$file"
}

ensure() {
  if has_value "$1"; then
    say "$1 is set already; left as it is"
  else
    value=$($2)
    [ "${#value}" -ge 35 ] || fail "no random bytes from /dev/urandom"
    set_value "$1" "$value"
    say "$1 generated"
  fi
}

master_key() { printf 'sk-%s' "$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')"; }
salt_key() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }
# Letters and digits only, since one of them becomes part of an address.
password() { head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

ensure LITELLM_MASTER_KEY master_key
ensure LITELLM_SALT_KEY salt_key
ensure POSTGRES_PASSWORD password
ensure GRAFANA_ADMIN_PASSWORD password
chmod 600 "$file"
