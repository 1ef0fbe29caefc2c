#!/usr/bin/env bash
# The steps of docs/operators/deploying.md for a Debian 12 server, as root. Each may be taken again without harm.
#   deploy/server.sh packages | account | database | settings HOST | release | units | certificate HOST MAIL | nginx HOST | manage COMMAND …
set -euo pipefail
home=/srv/clac
here=$(cd "$(dirname "$0")" && pwd)
as() { account=$1; shift; if [ -t 0 ]; then way=--pty; else way=--pipe; fi; systemd-run --quiet $way --wait --collect --uid="$account" --property=EnvironmentFile=/etc/clac/env --working-directory=$home "$@"; }

manage() {  # any command of manage.py, with the settings of /etc/clac/env
  as clac .venv/bin/python manage.py "$@"
}

packages() {  # what the site runs on
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    git make curl procps python3-venv postgresql redis-server nginx libnginx-mod-http-cache-purge certbot logrotate
}

account() {  # the account that owns nothing but its data; the code belongs to root, and it cannot change it
  id clac >/dev/null 2>&1 || adduser --system --group --home /var/lib/clac --no-create-home clac
  install -d -o clac -g clac -m 700 /var/lib/clac /var/backups/clac
}

database() {  # PostgreSQL through its socket: no password to keep
  runuser -u postgres -- psql -tAc "SELECT 1 FROM pg_roles WHERE rolname = 'clac'" | grep -q 1 || runuser -u postgres -- createuser clac
  runuser -u postgres -- psql -tAc "SELECT 1 FROM pg_database WHERE datname = 'clac'" | grep -q 1 || runuser -u postgres -- createdb --owner clac --encoding UTF8 --template template0 clac
}

settings() {  # /etc/clac/env from deploy/env.example, with a new SECRET_KEY; one that exists is left alone
  install -d -m 755 /etc/clac
  [ -e /etc/clac/env ] && { echo "clac: /etc/clac/env exists and is left as it is"; return; }
  key=$(python3 -c 'import secrets; print(secrets.token_urlsafe(50))')
  (umask 077; sed "s|example.org|$1|g; s|^SECRET_KEY=.*|SECRET_KEY=$key|" "$here/env.example" > /etc/clac/env)
  echo "clac: now open /etc/clac/env and set the e-mail provider"
}

release() {  # the code that stands in /srv/clac: its environment, its database, its static files; then without a pause
  cd $home
  python3 bin/setup.py --packages
  as root .venv/bin/python manage.py compile_texts
  manage check --deploy --fail-level WARNING
  manage deploy
  if systemctl is-active --quiet clac-web; then
    systemctl reload clac-web
    systemctl restart 'clac-worker@*' clac-scheduler
  fi
}

units() {  # web, worker and scheduler, now and after each start of the machine
  install -d /etc/systemd/system/clac-.service.d /etc/systemd/journald.conf.d
  install -m 644 "$here"/systemd/*.service /etc/systemd/system/
  install -m 644 "$here"/systemd/clac-.service.d/sandbox.conf /etc/systemd/system/clac-.service.d/
  install -m 644 "$here"/journald.conf /etc/systemd/journald.conf.d/clac.conf
  systemctl daemon-reload
  systemctl restart systemd-journald
  systemctl enable --now clac-web clac-worker@1 clac-scheduler
}

certificate() {  # from Let's Encrypt, renewed by Debian's timer; port 80 must reach this machine
  certbot certonly --webroot -w /var/www/html -d "$1" -m "$2" --agree-tos --non-interactive \
    --deploy-hook 'systemctl reload nginx'
}

nginx() {  # the site in front of the application
  rm -f /etc/nginx/sites-enabled/default
  install -d -o www-data -m 700 /var/cache/nginx
  sed "s|example\.org|$1|g" "$here/nginx/clac.conf" > /etc/nginx/conf.d/clac.conf
  command nginx -t
  systemctl reload nginx
}

case "${1:-}" in
  packages | account | database | settings | release | units | nginx | certificate | manage) "$@" ;;
  *) sed -n '2,3p' "$0"; exit 2 ;;
esac
