#!/usr/bin/env bash
# The tests against the next Wagtail and Django, in an environment of their own (.venv-next), with the newest Python that is here:
# Django 6 wants 3.12. Arguments go to pytest. What is pinned for use is not touched.
set -euo pipefail
cd "$(dirname "$0")/.."
for python in python3.14 python3.13 python3.12 python3; do "$python" -c 'import ssl' 2>/dev/null && break; done
printf '%s\n' 'wagtail>=8.0,<9' 'django>=5.2' 'django-tasks' > .venv-next.override
.venv/bin/uv venv --quiet --allow-existing --python "$(command -v "$python")" .venv-next
.venv/bin/uv pip install --quiet --python .venv-next/bin/python --override .venv-next.override -r requirements.in -r <(grep -v '^-c' requirements-dev.in)
.venv-next/bin/python -c 'import sys, django, wagtail; print("clac: Python", sys.version.split()[0], "Django", django.__version__, "Wagtail", wagtail.__version__)'
.venv-next/bin/python -m pytest "$@"
