"""Settings that hold everywhere. What differs per place comes from the environment (docs/operators.md has the table)."""

import logging
import sys
import zoneinfo
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from core import mailboxes
from core.embeds import FRAME_HOSTS
from environs import Env, EnvError
from operations import logs

from newsletter.delivery.providers import PROVIDERS

BASE_DIR = Path(__file__).resolve().parents[3]

env = Env()
VAR_DIR = Path(env.str("VAR_DIR", str(BASE_DIR / "var")))  # data and generated secrets
# `make run` keeps what it generated here; the real environment always wins.
if (VAR_DIR / "env").is_file():
    env.read_env(VAR_DIR / "env", recurse=False)


def setting(kind, name, **kwargs):
    """Read `name` from the environment as `kind` (an environs parser); stop the start with one clear line if it is wrong."""
    try:
        return getattr(env, kind)(name, **kwargs)
    except EnvError as error:
        sys.exit(f"Setting {name}: {error}. See docs/operators.md.")


def mailbox(name, text):
    """The Address that `text`, the value of setting `name`, stands for: `Name <address>` or an address. If it is none, stop the
    start with one clear line."""
    try:
        return mailboxes.parse(text)
    except ValueError as error:
        sys.exit(
            f"Setting {name}: {text!r} is not a mailbox such as Boletín CLAC <boletin@example.org>: {error}."
            " See docs/operators.md."
        )


DAYS_AT_MOST = 36500


def whole_number(name, default, least, most):
    """Read `name` as a whole number from `least` to `most`; stop the start with one clear line if it is none."""
    value = setting("int", name, default=default)
    if not least <= value <= most:
        sys.exit(f"Setting {name}: {value} is not a number from {least} to {most}. See docs/operators.md.")
    return value


SITE_URL = setting("str", "SITE_URL", default="http://127.0.0.1:8000").rstrip("/")
_site = urlsplit(SITE_URL)
if _site.hostname and not _site.netloc.isascii():  # browsers and mail headers write such a host in ASCII
    with suppress(ValueError):
        _port = f":{_site.port}" if _site.port else ""
        SITE_URL = _site._replace(netloc=mailboxes.host(_site.hostname) + _port).geturl()
        _site = urlsplit(SITE_URL)
if _site.scheme not in {"http", "https"} or not _site.hostname or not SITE_URL.isascii():
    sys.exit(f"Setting SITE_URL: “{SITE_URL}” is not an address such as https://example.org. See docs/operators.md.")
HTTPS = _site.scheme == "https"
# Loopback, for what watches over the site from the same machine; its name, too, where the site is on loopback itself.
_name = "localhost" if _site.hostname in {"127.0.0.1", "::1"} else _site.hostname
ALLOWED_HOSTS = [*dict.fromkeys([_site.hostname, _name]), "127.0.0.1", *setting("list", "ALLOWED_HOSTS", default=[])]
CSRF_TRUSTED_ORIGINS = [f"{_site.scheme}://{_site.netloc}"]

INSTALLED_APPS = [
    "operations",
    "accounts",
    "editorial",
    "translation",
    "privacy",
    "core",
    "search",
    "caching",
    "jobs",
    "home",
    "news",
    "newsletter",
    "wagtail_localize",
    "wagtail_localize.locales",
    "wagtail.contrib.redirects",
    "wagtail.contrib.routable_page",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.embeds",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django_filters",
    "anymail",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp_webauthn",
    "django_structlog",
    "django_tasks_db",
    "django.forms",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.sitemaps",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "operations.metrics.MetricsMiddleware",
    "caching.page_cache.PageCacheMiddleware",
    "operations.middleware.RequestLogMiddleware",
    "core.client_ip.ClientAddressMiddleware",
    "core.middleware.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "core.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "accounts.signin.SignInMiddleware",
    "core.middleware.RootPageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "wagtail.contrib.redirects.middleware.RedirectMiddleware",
]

FORM_RENDERER = "django.forms.renderers.TemplatesSetting"  # widgets, too, come through core.csp

WEB_PROCESSES = whole_number("WEB_PROCESSES", 2, 1, 64)
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [("django.template.loaders.cached.Loader", ["core.csp.Loader"])],
            "builtins": ["core.csp"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "core.context_processors.site",
            ],
        },
    },
]

DATABASES = {"default": setting("dj_db_url", "DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
if not DATABASES["default"]["ENGINE"].endswith(("sqlite3", "postgresql")):
    sys.exit("Setting DATABASE_URL: it takes postgres://… or sqlite:////path. See docs/operators.md.")
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Readers never wait for a writer (WAL); a writer takes its lock at once instead of failing half-way (IMMEDIATE). Triggers
    # also fire for rows that INSERT OR REPLACE deletes, and what is deleted is overwritten in the file.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; "
        "PRAGMA recursive_triggers=ON; PRAGMA secure_delete=ON;",
    }
DATABASES["default"].update(CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Signing in to the admin (accounts/signin.py). Long passwords rather than odd ones, none that everybody tries first.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "accounts.passwords.ContextWordsValidator"},
    {"NAME": "accounts.passwords.BreachedPasswordValidator"},
]
PWNED_PASSWORDS = {"API_TIMEOUT": 2.0}
# Nobody knows somebody else's password: new users get a link with which they choose their own.
WAGTAILUSERS_PASSWORD_ENABLED = False
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = WAGTAIL_FRONTEND_LOGIN_URL = "wagtailadmin_login"
WAGTAILADMIN_USER_LOGIN_FORM = "accounts.signin.LoginForm"
WAGTAILADMIN_USER_PASSWORD_RESET_FORM = "accounts.signin.PasswordResetForm"
PASSWORD_RESET_TIMEOUT = 3600
TWO_FACTOR_REQUIRED = setting("bool", "TWO_FACTOR_REQUIRED", default=HTTPS)
OTP_TOTP_ISSUER = OTP_WEBAUTHN_RP_NAME = "CLAC"
# Passkeys hold for the host of SITE_URL. Browsers have none for the number 127.0.0.1, so there it is localhost (accounts/passkeys.py).
OTP_WEBAUTHN_RP_ID = _name
_port = "" if _site.port in {None, 443 if HTTPS else 80} else f":{_site.port}"
OTP_WEBAUTHN_ALLOWED_ORIGINS = [f"{'http' if _name == 'localhost' and not HTTPS else 'https'}://{_name}{_port}"]
SESSION_COOKIE_AGE = 12 * 3600

# Languages: the same for pages, interface and admin.
LANGUAGE_CODE = "es"
LANGUAGES = WAGTAIL_CONTENT_LANGUAGES = [("es", "Español"), ("en", "English"), ("pt-br", "Português")]
WAGTAILADMIN_PERMITTED_LANGUAGES = LANGUAGES
WAGTAIL_I18N_ENABLED = True
WAGTAIL_ALLOW_UNICODE_SLUGS = False  # addresses that can be read aloud, typed and pasted: “dia”, not “d%C3%ADa”
WAGTAILLOCALIZE_SYNC_LIVE_STATUS_ON_TRANSLATE = False  # a translation is published when it is complete
# Machine translation of what is left in a page, always as a draft: off, or one of these services with its keys.
TRANSLATORS = {
    "deepl": ("deepl.DeepLTranslator", {"AUTH_KEY": "DEEPL_AUTH_KEY"}),
    "libretranslate": (
        "libretranslate.LibreTranslator",
        {"LIBRETRANSLATE_URL": "LIBRETRANSLATE_URL", "API_KEY": "LIBRETRANSLATE_API_KEY"},
    ),
    "google": (
        "google.GoogleCloudTranslator",
        {"PROJECT_ID": "GOOGLE_PROJECT_ID", "CREDENTIALS_PATH": "GOOGLE_CREDENTIALS_PATH"},
    ),
}
if _translator := setting("str", "MACHINE_TRANSLATOR", default=""):
    if _translator not in TRANSLATORS:
        sys.exit(f"Setting MACHINE_TRANSLATOR: “{_translator}” is not known. Choose {', '.join(TRANSLATORS)}.")
    _class, _keys = TRANSLATORS[_translator]
    WAGTAILLOCALIZE_MACHINE_TRANSLATOR = {
        "CLASS": f"wagtail_localize.machine_translators.{_class}",
        "OPTIONS": {name: setting("str", key) for name, key in _keys.items()},
    }
USE_I18N = True
USE_TZ = True
# Not the names that only this machine understands: browsers stumble over them.
WAGTAIL_USER_TIME_ZONES = sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC")
TIME_ZONE = setting("str", "TIME_ZONE", default="America/El_Salvador")
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "wagtail"]  # the second: what Wagtail lacks in es and pt_BR

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Files have no public address unless they are asked for by one of the site's views, which look at who asks: documents and
# the originals of pictures. Only renditions, the resized copies that pages show, lie below MEDIA_URL.
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "renditions": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": VAR_DIR / "renditions", "base_url": MEDIA_URL},
    },
    # What only staff may read: lists of addresses.
    "private": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": VAR_DIR / "private",
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True


def WHITENOISE_ADD_HEADERS_FUNCTION(headers, path, url):
    """Let webmail programs show the picture that every mail begins with; other static files are for this site only."""
    if "/img/weave-mail." in url:
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"


# Pictures, documents and lists in S3, where several machines serve pages. The bucket stays closed: what may be seen goes
# out through the site, with its headers and its rules.
S3_BUCKET = setting("str", "S3_BUCKET", default="")
S3_ENDPOINT = setting("str", "S3_ENDPOINT", default="")
if S3_BUCKET:
    _s3 = {
        "bucket_name": S3_BUCKET,
        "endpoint_url": S3_ENDPOINT or None,
        "region_name": setting("str", "S3_REGION", default="") or None,
        "access_key": setting("str", "S3_ACCESS_KEY"),
        "secret_key": setting("str", "S3_SECRET_KEY"),
        "default_acl": None,
        "file_overwrite": False,
    }
    STORAGES["default"] = {"BACKEND": "core.storage.FilesInS3", "OPTIONS": {**_s3, "location": "media"}}
    STORAGES["renditions"] = {"BACKEND": "core.storage.FilesInS3", "OPTIONS": {**_s3, "location": "renditions"}}
    STORAGES["private"] = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {**_s3, "location": "private"}}

WAGTAIL_SITE_NAME = "CLAC"
# The admin, too, contacts no third party.
WAGTAIL_GRAVATAR_PROVIDER_URL = None
WAGTAIL_ENABLE_UPDATE_CHECK = WAGTAIL_ENABLE_WHATS_NEW_BANNER = False
WAGTAILADMIN_BASE_URL = SITE_URL
WAGTAILIMAGES_IMAGE_MODEL = "core.CustomImage"
WAGTAILIMAGES_RENDITION_STORAGE = "renditions"
WAGTAILIMAGES_EXTENSIONS = ["avif", "gif", "heic", "jpg", "jpeg", "png", "webp"]
WAGTAILIMAGES_FORMAT_CONVERSIONS = {"avif": "jpeg", "webp": "jpeg"}
WAGTAILIMAGES_JPEG_QUALITY = 76
WAGTAILIMAGES_WEBP_QUALITY = 74
WAGTAILIMAGES_AVIF_QUALITY = 55
WAGTAILIMAGES_MAX_UPLOAD_SIZE = 15 * 1024 * 1024
WAGTAILDOCS_EXTENSIONS = ["csv", "docx", "odt", "pdf", "pptx", "txt", "xlsx", "zip"]
WAGTAILIMAGES_IMAGE_FORM_BASE = "core.uploads.ImageForm"
WAGTAILDOCS_DOCUMENT_FORM_BASE = "core.uploads.DocumentForm"
WAGTAILDOCS_SERVE_METHOD = "serve_view"
# search/index.py passes stems; “simple” keeps PostgreSQL from stemming them again.
WAGTAILSEARCH_BACKENDS = {"default": {"BACKEND": "wagtail.search.backends.database", "SEARCH_CONFIG": "simple"}}
WAGTAIL_WORKFLOW_ENABLED = True
TAGGIT_CASE_INSENSITIVE = True

# What stands in front of the site and keeps pages: purged when they change.
FRONTEND_CACHE = setting("str", "FRONTEND_CACHE", default="")
WAGTAILFRONTENDCACHE_LANGUAGES = []
if FRONTEND_CACHE == "cloudflare":
    WAGTAILFRONTENDCACHE = {
        "default": {
            "BACKEND": "wagtail.contrib.frontend_cache.backends.CloudflareBackend",
            "ZONEID": setting("str", "CLOUDFLARE_ZONEID"),
            "BEARER_TOKEN": setting("str", "CLOUDFLARE_BEARER_TOKEN"),
        }
    }
elif FRONTEND_CACHE:
    WAGTAILFRONTENDCACHE = {"default": {"BACKEND": "caching.cdn.ProxyBackend", "LOCATION": FRONTEND_CACHE}}
else:
    WAGTAILFRONTENDCACHE = {}

# Background work: kept in the database, or in Redis where workers run on several machines.
REDIS_URL = setting("str", "REDIS_URL", default="")
DATABASE_QUEUE = {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}
if REDIS_URL:
    INSTALLED_APPS.append("django_rq")
    _redis = {"URL": REDIS_URL, "DEFAULT_TIMEOUT": 3600, "REDIS_CLIENT_KWARGS": {"socket_connect_timeout": 2}}
    RQ_QUEUES = {"default": _redis, "bulk": _redis}
    TASKS = {
        "default": {"BACKEND": "jobs.redis_queue.RedisBackend", "QUEUES": ["default", "bulk"]},
        "database": DATABASE_QUEUE,
    }
else:
    TASKS = {"default": DATABASE_QUEUE}

# Mail. What each provider needs and takes stands in newsletter/delivery/providers.py.
EMAIL_PROVIDER = setting("str", "EMAIL_PROVIDER", default="local")
LOCAL_MAIL_DIR = VAR_DIR / "mail"
if EMAIL_PROVIDER not in PROVIDERS:
    sys.exit(f"Setting EMAIL_PROVIDER: “{EMAIL_PROVIDER}” is not known. Choose {', '.join(PROVIDERS)}.")
_provider = PROVIDERS[EMAIL_PROVIDER]
EMAIL_BACKEND = _provider.backend
ANYMAIL = _provider.anymail(lambda name, **default: setting("str", name, **default))
if EMAIL_PROVIDER == "smtp":
    EMAIL_HOST = setting("str", "EMAIL_HOST")
    EMAIL_PORT = whole_number("EMAIL_PORT", 587, 1, 65_535)
    EMAIL_HOST_USER = setting("str", "EMAIL_HOST_USER", default="")
    EMAIL_HOST_PASSWORD = setting("str", "EMAIL_HOST_PASSWORD", default="")
    EMAIL_USE_TLS = setting("bool", "EMAIL_USE_TLS", default=True)
    EMAIL_TIMEOUT = 30  # for connecting, EHLO, TLS and signing in
ANYMAIL["REQUESTS_TIMEOUT"] = (10, 30)
# How long an SMTP server may take for its replies, in seconds: to the connection, to MAIL, RCPT and DATA, and to the mail itself,
# as RFC 5321, 4.5.3.2 asks. Whoever gives up the last one too early sends mails twice.
SMTP_REPLY_SECONDS = {"greeting": 300, "sender": 300, "recipient": 300, "data": 120, "end": 600}
_own_host = "localhost" if ":" in _site.hostname else _site.hostname
DEFAULT_FROM_EMAIL = setting("str", "DEFAULT_FROM_EMAIL", default=f"CLAC <boletin@{_own_host}>")
DEFAULT_FROM_EMAIL = str(mailbox("DEFAULT_FROM_EMAIL", DEFAULT_FROM_EMAIL))
SERVER_EMAIL = DEFAULT_FROM_EMAIL
# Under which name the provider's key stands in the DNS (<selector>._domainkey.<domain>), to be looked at before sending.
DKIM_SELECTOR = setting("str", "DKIM_SELECTOR", default="")

# The newsletter.
NEWSLETTER_LEASE_SECONDS = 60  # after this a batch whose worker went silent is taken up by another
IN_HAND_DIR = VAR_DIR / "in_hand"  # what the workers of this machine hold, for the one after a crash
NEWSLETTER_CONFIRM_DAYS = 14
TICK_SECONDS = 10  # how often a worker looks for work that the queue forgot

# Sending: connections to the SMTP server, limits of the provider (0: none), and the first days of a new sender.
SMTP_CONNECTIONS = whole_number("SMTP_CONNECTIONS", 10, 1, 100)
SEND_PER_SECOND = whole_number("SEND_PER_SECOND", 0, 0, 10_000)
SEND_PER_DAY = whole_number("SEND_PER_DAY", 0, 0, 100_000_000)
WARM_UP_FROM = setting("str", "WARM_UP_FROM", default="")
WARM_UP_START = whole_number("WARM_UP_START", 500, 1, 100_000_000)
# Counting who opens and follows links: off, as it tells little (docs/newsletter.md) and readers were not asked.
TRACK_CLICKS = setting("bool", "TRACK_CLICKS", default=False)
TRACK_OPENS = setting("bool", "TRACK_OPENS", default=False)

# Joining: what one visitor, and all together, may ask for in an hour; throw-away addresses are marked, or refused.
JOIN_LIMIT_PER_ORIGIN = whole_number("JOIN_LIMIT_PER_ORIGIN", 20, 1, 1_000_000)
JOIN_LIMIT_IN_ALL = whole_number("JOIN_LIMIT_IN_ALL", 1000, 1, 1_000_000)
# The contact form, in the same way.
CONTACT_LIMIT_PER_ORIGIN = whole_number("CONTACT_LIMIT_PER_ORIGIN", 5, 1, 1_000_000)
CONTACT_LIMIT_IN_ALL = whole_number("CONTACT_LIMIT_IN_ALL", 100, 1, 1_000_000)
NEWSLETTER_REFUSE_DISPOSABLE = setting("bool", "NEWSLETTER_REFUSE_DISPOSABLE", default=False)
ALARM_EMAILS = [str(mailbox("ALARM_EMAILS", text)) for text in setting("list", "ALARM_EMAILS", default=[])]

# A mailbox that refuses for a while is given up after so many refusals in so many days.
SOFT_BOUNCES = whole_number("SOFT_BOUNCES", 3, 1, 100)
SOFT_BOUNCE_DAYS = whole_number("SOFT_BOUNCE_DAYS", 30, 1, DAYS_AT_MOST)

# How long personal data is kept, in days. Zero or fewer would delete what came a moment ago.
RETENTION_DAYS = {
    "pending": whole_number("RETENTION_PENDING_DAYS", 30, 1, DAYS_AT_MOST),
    "ended": whole_number("RETENTION_ENDED_DAYS", 3 * 365, 1, DAYS_AT_MOST),
    "provider_events": whole_number("RETENTION_PROVIDER_EVENTS_DAYS", 180, 1, DAYS_AT_MOST),
    "deliveries": whole_number("RETENTION_DELIVERIES_DAYS", 2 * 365, 1, DAYS_AT_MOST),
    "contact_messages": whole_number("RETENTION_CONTACT_MESSAGES_DAYS", 365, 1, DAYS_AT_MOST),
    "import_files": whole_number("RETENTION_IMPORT_FILES_DAYS", 30, 1, DAYS_AT_MOST),
}

# Backups, one a day: where they and the list of goodbyes lie, how many are kept (0: none are made), and the key of age.
BACKUP_DIR = setting("str", "BACKUP_DIR", default=str(VAR_DIR / "backups"))
BACKUP_KEEP = whole_number("BACKUP_KEEP", 14, 0, 10000)  # a negative one would delete the newest
BACKUP_KEY = setting("str", "BACKUP_KEY", default="")

# Messages of the e-mail provider; none are taken before their secret (“user:password”) or signature key is set.
WEBHOOK_SECRET = setting("str", "WEBHOOK_SECRET", default="")
if WEBHOOK_SECRET:
    ANYMAIL["WEBHOOK_SECRET"] = WEBHOOK_SECRET
if _missing := _provider.missing_signature(ANYMAIL):
    sys.exit(
        f"Setting {_missing}: {EMAIL_PROVIDER} signs what it says about mails, so WEBHOOK_SECRET alone does not do."
        " Set this key too, or neither. See docs/operators.md."
    )
# A mailbox for bounced mail, for providers without webhooks: its address takes the mail as name+token@domain (VERP).
if BOUNCE_ADDRESS := setting("str", "BOUNCE_ADDRESS", default=""):
    BOUNCE_ADDRESS = mailbox("BOUNCE_ADDRESS", BOUNCE_ADDRESS).addr_spec
BOUNCE_IMAP_HOST = setting("str", "BOUNCE_IMAP_HOST", default="")
BOUNCE_IMAP_PORT = whole_number("BOUNCE_IMAP_PORT", 993, 1, 65_535)
BOUNCE_IMAP_TLS = setting("bool", "BOUNCE_IMAP_TLS", default=True)
BOUNCE_IMAP_USER = setting("str", "BOUNCE_IMAP_USER", default="")
BOUNCE_IMAP_PASSWORD = setting("str", "BOUNCE_IMAP_PASSWORD", default="")

# Security headers; what needs https follows the scheme of SITE_URL.
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"  # browsers that know frame-ancestors go by that: previews are frames of our own
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 63072000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
# Machines that speak http by mistake are told so, not redirected.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$", r"^webhooks/"]
BEHIND_PROXY = setting("bool", "BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_HTTPONLY = True
if HTTPS:  # the browser then takes them from this very host only
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_PATH = "/"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "object-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "frame-src": FRAME_HOSTS,
        "worker-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'self'"],
    }
}

# Logs, figures and errors. What is a person's stays out of them (operations/logs.py).
LOGGING = logs.configure(as_json=setting("bool", "LOG_JSON", default=False))
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = BEHIND_PROXY
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO
METRICS_TOKEN = setting("str", "METRICS_TOKEN", default="")
SENTRY_OPTIONS = {
    "before_send": logs.scrub_report,
    "send_default_pii": False,
    "max_request_body_size": "never",
    "include_local_variables": False,
}
if SENTRY_DSN := setting("str", "SENTRY_DSN", default=""):
    import sentry_sdk

    sentry_sdk.init(SENTRY_DSN, **SENTRY_OPTIONS)
