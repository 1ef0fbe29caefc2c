"""WSGI entry point: `granian --interface wsgi config.wsgi:application`."""

import os

from core.processes import share_metrics
from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
share_metrics(settings.VAR_DIR / "metrics")
application = get_wsgi_application()

from core import database, readings  # noqa: E402 – need the apps

database.wait_for_database()
readings.start()
