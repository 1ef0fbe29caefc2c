"""Settings of the tests: SQLite in a file, so that worker processes can use it, or PostgreSQL by DATABASE_URL."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from .base import *  # noqa: F403
from .base import DATABASES, INSTALLED_APPS, LOGGING, S3_BUCKET, STORAGES, VAR_DIR

DEBUG = False
INSTALLED_APPS = [*INSTALLED_APPS, "django_migration_linter"]
SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
SITE_URL = WAGTAILADMIN_BASE_URL = "http://testserver"
DEFAULT_FROM_EMAIL = "CLAC <boletin@example.org>"
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    if not os.environ.get("DATABASE_URL"):
        # Never the site's own file, even if a test uses the database without the marker.
        DATABASES["default"]["NAME"] = ":memory:"
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
    if not os.environ.get("DURABLE"):  # set by bin/with-services.sh
        DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
# Each run writes its files to a temporary folder, except where several processes are to share one.
VAR_DIR = Path(os.environ.get("TEST_VAR_DIR") or tempfile.mkdtemp(prefix="clac-test-"))
if not os.environ.get("TEST_VAR_DIR"):
    atexit.register(shutil.rmtree, VAR_DIR, ignore_errors=True)
MEDIA_ROOT = Path(os.environ.get("TEST_MEDIA_ROOT") or VAR_DIR / "media")
if not S3_BUCKET:
    STORAGES["renditions"]["OPTIONS"]["location"] = MEDIA_ROOT.with_name("renditions")
LOCAL_MAIL_DIR = VAR_DIR / "mail"
STORAGES["private"]["OPTIONS"]["location"] = "private" if S3_BUCKET else VAR_DIR / "private"
STATIC_ROOT = VAR_DIR
BACKUP_DIR, BACKUP_KEEP = str(VAR_DIR / "backups"), 0
NEWSLETTER_LEASE_SECONDS = int(os.environ.get("TEST_LEASE_SECONDS", 3))
NEWSLETTER_CLAIMS_DIR = MEDIA_ROOT.with_name("in_hand")
JOBS_POLL_SECONDS = 0.5
LOGGING["loggers"]["django.request"] = {"level": "CRITICAL"}
