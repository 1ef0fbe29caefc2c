#!/usr/bin/env bash
# Run a command with a PostgreSQL of its own: started from Debian's package in a temporary folder,
# listening on loopback only, and gone afterwards.
set -euo pipefail
command -v /usr/lib/postgresql/15/bin/postgres >/dev/null || { apt-get update -qq && apt-get install -y -qq postgresql >/dev/null; }
bin=/usr/lib/postgresql/15/bin
folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
as=()
if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; as=(runuser -u postgres --); fi
cd "$folder"
"${as[@]}" "$bin/initdb" -D "$folder/data" -U clac --auth=trust -E UTF8 >/dev/null
"${as[@]}" "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
  -o "-h 127.0.0.1 -p $port -k $folder -c fsync=off -c synchronous_commit=off -c full_page_writes=off" start >/dev/null
trap '"${as[@]}" "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null; rm -rf "$folder"' EXIT
cd "$OLDPWD"
export DATABASE_URL="postgres://clac@127.0.0.1:$port/postgres"
"$@"
