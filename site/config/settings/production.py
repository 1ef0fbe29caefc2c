"""Production settings, also of `make run`. The site does not start with insecure settings."""

import os
import sys
from urllib.parse import urlsplit

from config.variables import required_setting, setting

from .base import *  # noqa: F403
from .base import (
    ANYMAIL,
    BOUNCE_IMAP_HOST,
    BOUNCE_IMAP_TLS,
    DATABASES,
    EMAIL_PROVIDER,
    FRONTEND_CACHE,
    REDIS_URL,
    S3_BUCKET,
    S3_ENDPOINT,
    SENTRY_DSN,
)

DEBUG = False
for _name in ("DEBUG", "DJANGO_DEBUG"):
    if os.environ.get(_name, "").lower() not in {"", "0", "no", "false", "off"}:
        sys.exit(
            f"Setting {_name}: not in production; `make dev` debugs. Take it away. See docs/operators/settings.md."
        )

SECRET_KEY = required_setting("SECRET_KEY")
# Older keys, so that links in sent mails stay valid after a change of SECRET_KEY.
SECRET_KEY_FALLBACKS = setting("SECRET_KEY_FALLBACKS")


def _refuse_plain(name: str, host: str | None, is_encrypted: bool) -> None:
    """Exit if a connection to another host is not encrypted. A path is a local socket."""
    is_here = not host or host.startswith("/") or host in {"localhost", "127.0.0.1", "::1"}
    if not (is_here or is_encrypted):
        sys.exit(
            f"Setting {name}: what leaves this machine has to be encrypted on the way,"
            " to a server whose certificate is checked. See docs/operators/settings.md."
        )


_database = DATABASES["default"]
_options = _database.get("OPTIONS", {})
_refuse_plain(
    "DATABASE_URL",
    _database.get("HOST") or _options.get("host"),
    _options.get("sslmode") in {"verify-ca", "verify-full"},  # “require” takes any certificate
)
if S3_BUCKET:
    _refuse_plain("S3_ENDPOINT", urlsplit(S3_ENDPOINT).hostname, S3_ENDPOINT.startswith("https://"))
_is_checked = REDIS_URL.startswith("rediss://") and "ssl_cert_reqs" not in REDIS_URL
_refuse_plain("REDIS_URL", urlsplit(REDIS_URL).hostname, _is_checked)
_refuse_plain("BOUNCE_IMAP_TLS", BOUNCE_IMAP_HOST, BOUNCE_IMAP_TLS)
_addresses = {name: value for name, value in ANYMAIL.items() if name.endswith("_API_URL")}
_addresses |= {"FRONTEND_CACHE": FRONTEND_CACHE, "SENTRY_DSN": SENTRY_DSN}
_addresses["LIBRETRANSLATE_URL"] = setting("LIBRETRANSLATE_URL")
for _name, _address in _addresses.items():
    _refuse_plain(_name, urlsplit(_address).hostname, _address.startswith("https://"))
if EMAIL_PROVIDER == "smtp":
    _refuse_plain("EMAIL_USE_TLS", EMAIL_HOST, EMAIL_USE_TLS)  # noqa: F405
