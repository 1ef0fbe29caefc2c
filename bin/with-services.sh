#!/usr/bin/env bash
# Run a command with a PostgreSQL and a Redis of its own, from Debian's packages: in a temporary folder, on loopback only,
# and gone afterwards. DATABASE_URL and TEST_REDIS_URL say where they are. Dovecot is there for the tests of bounced mail.
# With DURABLE=1 nothing that was committed is ever lost, as in production; TEST_POSTGRES and TEST_REDIS stop and start them.
set -euo pipefail
bin=/usr/lib/postgresql/15/bin
{ [ -x $bin/postgres ] && command -v redis-server && command -v dovecot; } >/dev/null || {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql redis-server dovecot-imapd >/dev/null
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
folder=$(mktemp -d)
port=$(free_port)
redis_port=$(free_port)
as=()
if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; as=(runuser -u postgres --); fi
cd "$folder"
"${as[@]}" "$bin/initdb" -D "$folder/data" -U clac --auth=trust -E UTF8 >/dev/null
quick="-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
[ "${DURABLE:-}" = 1 ] && quick=""
postgres=("${as[@]}" "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" -o "-h 127.0.0.1 -p $port -k $folder $quick")
redis=(redis-server --bind 127.0.0.1 --port "$redis_port" --save '' --dir "$folder" --daemonize yes --pidfile "$folder/redis.pid")
"${postgres[@]}" start >/dev/null
"${redis[@]}" >/dev/null
stop() {
  kill "$(cat "$folder/redis.pid")" 2>/dev/null || true
  "${as[@]}" "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null
  rm -rf "$folder"
}
trap stop EXIT
cd "$OLDPWD"
export DATABASE_URL="postgres://clac@127.0.0.1:$port/postgres"
export TEST_POSTGRES="${postgres[*]@Q}" TEST_REDIS="${redis[*]@Q}" TEST_REDIS_PID="$folder/redis.pid"
export TEST_REDIS_URL="redis://127.0.0.1:$redis_port/0"
"$@"
