"""WSGI entry point: `granian --interface wsgi config.wsgi:application`."""

import logging
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from operations.multiprocess import share_metrics

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
share_metrics(settings.VAR_DIR / "metrics")
application = get_wsgi_application()

from editorial import page_views  # noqa: E402 – requires loaded apps
from jobs import database  # noqa: E402 – requires loaded apps

logging.getLogger(__name__).info("CLAC %s: a web process starts", settings.VERSION)
database.wait_for_database()
page_views.start()
