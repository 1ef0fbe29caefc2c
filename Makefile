# `make` alone prints the targets.
PYTHON ?= python3
PORT ?= 8000
VENV = .venv/bin
PO_LANGUAGES = $(notdir $(wildcard locale/[a-z][a-z]) $(wildcard locale/[a-z][a-z]_*))
# Debian 12's, on which a server runs: no newer one may be needed.
OLDEST_PYTHON = 3.11.2
export SITE_URL ?= http://127.0.0.1:$(PORT)

.PHONY: help run dev test test-services test-e2e test-stack coverage bench chaos lint test-next audit upgrade pins messages release env-dev

help:  ## what can be made
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run:  ## the site on http://127.0.0.1:8000/ (PORT= for another), the real thing
	@$(PYTHON) bin/setup.py --serve $(PORT) && exec $(VENV)/python manage.py run_all --port $(PORT)

dev: export DJANGO_SETTINGS_MODULE = config.settings.dev
dev:  ## the same with DEBUG, reload on change and a debug toolbar
	@$(PYTHON) bin/setup.py --dev --serve $(PORT) && exec $(VENV)/python manage.py run_all --dev --port $(PORT)

env-dev:
	@$(PYTHON) bin/setup.py --dev

test: env-dev  ## the tests, on SQLite, without services or a browser; three cases of each (CASES=0: all)
	@CASES=$${CASES:-3} $(VENV)/python -m pytest

test-services: env-dev  ## all cases, with PostgreSQL, Redis and Dovecot, which it starts itself
	@bin/with-services.sh $(VENV)/python -m pytest

test-e2e: env-dev  ## the whole journey in headless Chromium
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }
	@$(VENV)/python -m pytest -m e2e -n 0

test-stack: env-dev  ## the site as it stands on a server: nginx, PostgreSQL, Redis, worker; the journey once through all of it
	@{ command -v nginx && test -e /usr/lib/nginx/modules/ngx_http_cache_purge_module.so && command -v systemd-analyze; } >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nginx libnginx-mod-http-cache-purge systemd >/dev/null; }
	@$(VENV)/python -m pytest -m '' -n 0 tests/test_deploy.py
	@bin/with-services.sh $(VENV)/python -m pytest -m stack -n 0 tests/test_stack.py
	@E2E_STACK=1 bin/with-services.sh $(VENV)/python -m pytest -m e2e -n 0 tests/e2e/test_journey.py

coverage: env-dev  ## how much of the code all cases run, with branches, on SQLite (about fifteen minutes)
	@$(VENV)/python -m pytest --cov --cov-branch --cov-report=term:skip-covered

chaos: env-dev  ## crashes and outages at full size, on PostgreSQL and Redis (about fourteen minutes)
	@DURABLE=1 bin/with-services.sh $(VENV)/python -m pytest -m chaos -n 0 -s tests/chaos
	@FAULTS_STEP=1 $(VENV)/python -m pytest -n 2 tests/newsletter/delivery/test_faults.py

bench: env-dev  ## the benchmarks, each as a ratio against a baseline timed in the same run (docs/performance.md)
	@{ command -v wrk && command -v smtp-sink && test -e /usr/lib/nginx/modules/ngx_http_cache_purge_module.so; } >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq wrk postfix nginx libnginx-mod-http-cache-purge >/dev/null; }
	@$(VENV)/python -m bench.pages
	@$(VENV)/python -m bench.sign_up
	@bin/with-services.sh $(VENV)/python -m bench.subscribers
	@DURABLE=1 bin/with-services.sh $(VENV)/python -m bench.sending
	@DURABLE=1 $(VENV)/python -m bench.sending
	@bin/with-services.sh $(VENV)/python -m bench.load

lint: env-dev  ## ruff, types, layers, templates, migrations, messages
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@PYTHONPATH=site:. $(VENV)/lint-imports --no-cache
	@$(VENV)/djlint --lint --check site home news newsletter
	@$(VENV)/python manage.py makemigrations --check --dry-run --settings config.settings.test
	@$(VENV)/python manage.py lintmigrations --settings config.settings.test --include-apps accounts core editorial home jobs news newsletter search translation --ignore-initial-migrations --warnings-as-errors --sql-analyser postgresql --no-cache --quiet ok ignore >/dev/null
	@$(VENV)/python bin/check_messages.py

messages: env-dev  ## bring locale/*.po up to date with the code (needs GNU gettext)
	@$(VENV)/python manage.py makemessages $(PO_LANGUAGES:%=-l %) --no-obsolete --no-wrap -e html,txt,py,mjml --ignore '.venv/*' --ignore 'var/*' --ignore 'tests/*' --ignore 'bin/*' --settings config.settings.test

test-next: env-dev  ## the tests against the next Wagtail and Django, in an environment of their own
	@bin/test_next.sh

audit: env-dev  ## known holes in what is installed (asks pypi.org)
	@$(VENV)/pip-audit --strict --requirement requirements.txt --require-hashes --disable-pip --progress-spinner off

upgrade: pins  ## refresh the pins and run everything
	@$(MAKE) audit || echo "clac: the index of holes could not be asked, or has something to say"
	@.ci/run

release:  ## check everything, then tag the version of pyproject.toml
	@bin/release.sh

pins: env-dev  ## compile requirements*.txt with hashes
	@$(VENV)/uv pip compile -q --upgrade --python-version $(OLDEST_PYTHON) --generate-hashes --no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt
	@$(VENV)/uv pip compile -q --upgrade --python-version $(OLDEST_PYTHON) --generate-hashes --no-emit-index-url --no-emit-find-links requirements-dev.in -o requirements-dev.txt
