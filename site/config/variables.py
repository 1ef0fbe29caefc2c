"""The settings that the environment may change: one declaration each.

From it follow how a value is read and checked (environment.py), the table in docs/operators/settings.md and
deploy/env.example (`UPDATE_DOCS=1 pytest tests/core/test_settings.py` writes both).
"""

import os
import sys
from typing import Any

from config import kinds
from config.environment import TABLE, Variable
from newsletter.delivery.providers import PROVIDERS, Provider

DAYS = kinds.whole_number(1, 36500)
REQUESTS = kinds.whole_number(1, 1_000_000)
PORT = kinds.whole_number(1, 65_535)
MAILS = kinds.whole_number(0, 100_000_000)
DATA_KINDS = {  # by the end of the setting's name: what is kept, and for how many days
    "PENDING": ("sign-ups that were never confirmed", 30),
    "ENDED": ("subscriptions that ended, with the proof of consent", 3 * 365),
    "DELIVERIES": ("which mail went to whom (the counts stay)", 2 * 365),
    "PROVIDER_EVENTS": ("messages of the provider", 180),
    "CONTACT_MESSAGES": ("messages of the contact form", 365),
    "IMPORT_FILES": (
        "uploaded lists that nobody imported (a list goes as soon as its import ends), and lines that were not imported",
        30,
    ),
}


def key_of(provider: Provider, name: str, default_text: str) -> Variable:
    """Declare a setting of an e-mail provider."""
    if name.endswith("_URL"):
        return Variable(name, f"an address of {provider.name}", kinds.URL, default_text=default_text)
    if name.endswith("_DOMAIN"):
        return Variable(name, f"the domain that {provider.name} sends for", kinds.HOST, default_text=default_text)
    text = f"verifies the messages of {provider.name}" if name == provider.signature else f"a key of {provider.name}"
    return Variable(name, text, kinds.KEY, default_text=default_text, is_secret=True)


def keys_of(provider: Provider) -> list[Variable]:
    """Declare the settings of an e-mail provider."""
    required = [key_of(provider, name, f"required by `{provider.name}`") for name in provider.credentials]
    return required + [key_of(provider, name, "none") for name in provider.optional]


GROUPS: dict[str, list[Variable]] = {
    "The site": [
        Variable(
            "SECRET_KEY",
            "signs sessions and the links in mails: 50 random characters; `make run` generates it in `var/env`",
            kinds.SECRET_KEY,
            default_text="required",
            is_secret=True,
            is_in_example=True,
        ),
        Variable(
            "SECRET_KEY_FALLBACKS",
            "older keys, comma-separated, newest first. Keep every key: links in old mails and the list of suppressed addresses depend on them",
            kinds.list_of(kinds.TEXT, "keys, comma-separated"),
            default=[],
            is_secret=True,
        ),
        Variable(
            "SITE_URL",
            "the public address; with `https://` cookies, HSTS and redirects follow. Passkeys belong to its host name: if it changes, everybody has to make new ones",
            kinds.SITE_URL,
            default="http://127.0.0.1:8000",
            example="https://example.org",
            is_in_example=True,
        ),
        Variable("ALLOWED_HOSTS", "further host names, comma-separated; no `*`", kinds.HOSTS, default=[]),
        Variable(
            "BEHIND_PROXY",
            "trust `X-Forwarded-Proto`, `X-Forwarded-For` and `X-Request-ID` of a reverse proxy",
            kinds.BOOLEAN,
            default=False,
            example="yes",
            is_in_example=True,
        ),
        Variable(
            "DATABASE_URL",
            "`postgres://user:password@host/name` or `sqlite:////path`; to another machine with `?sslmode=verify-full&sslrootcert=…` (or `verify-ca`)",
            kinds.DATABASE_URL,
            default_text="SQLite in `VAR_DIR`",
            is_secret=True,
            example="postgres:///clac?host=/var/run/postgresql",
            is_in_example=True,
        ),
        Variable(
            "VAR_DIR",
            "where data and generated files live",
            kinds.FOLDER,
            default_text="`var/`",
            example="/var/lib/clac",
            is_in_example=True,
        ),
        Variable("WEB_PROCESSES", "web processes", kinds.whole_number(1, 64), default=2),
        Variable(
            "FRONTEND_CACHE",
            "the cache in front of the site that accepts `PURGE` requests, such as `http://127.0.0.1:8080` (nginx, Varnish), or `cloudflare`",
            kinds.CACHE_URL,
            example="http://127.0.0.1:8081",
            is_in_example=True,
        ),
        Variable("CLOUDFLARE_ZONEID", "the zone", kinds.KEY, default_text="required by `cloudflare`"),
        Variable(
            "CLOUDFLARE_BEARER_TOKEN",
            "a token that may purge the zone",
            kinds.KEY,
            default_text="required by `cloudflare`",
            is_secret=True,
        ),
        Variable(
            "REDIS_URL",
            "`redis://127.0.0.1:6379/0`, to another machine `rediss://`: the task queue of several machines, and how they invalidate their cached pages together",
            kinds.REDIS_URL,
            default_text="the database is the queue",
            is_secret=True,
            example="redis://127.0.0.1:6379/0",
        ),
        Variable("TIME_ZONE", "of the editors", kinds.TIME_ZONE, default="America/El_Salvador"),
    ],
    "Security": [
        Variable(
            "TWO_FACTOR_REQUIRED",
            "nobody gets into the admin without a second step",
            kinds.BOOLEAN,
            default=None,
            default_text="yes with `https://`, else no",
        ),
        Variable(
            "HSTS_SUBDOMAINS",
            "tell browsers to ask for every subdomain of the site's host by https, too",
            kinds.BOOLEAN,
            default=False,
        ),
        Variable(
            "HSTS_PRELOAD",
            "allow browsers to have the host in their own list (hstspreload.org), which takes months to undo; with `HSTS_SUBDOMAINS`",
            kinds.BOOLEAN,
            default=False,
        ),
    ],
    "Mail": [
        Variable(
            "DEFAULT_FROM_EMAIL",
            "sender of all mail, `Boletín CLAC <boletin@example.org>`: name and domain may have any letters, the part before the @ only ASCII",
            kinds.MAILBOX,
            default_text="`CLAC <boletin@…>`, with the host of `SITE_URL`",
            example="CLAC <boletin@example.org>",
        ),
        Variable(
            "EMAIL_PROVIDER",
            "`local` (kept in `var/mail`), `smtp`, or a provider of Anymail ([what to know of each](../developers/newsletter.md#which-provider))",
            kinds.one_of(*PROVIDERS),
            default="local",
            is_in_example=True,
        ),
        Variable("EMAIL_HOST", "the SMTP server", kinds.HOST, default_text="required by `smtp`"),
        Variable("EMAIL_PORT", "its port", PORT, default=587),
        Variable("EMAIL_HOST_USER", "the user there"),
        Variable("EMAIL_HOST_PASSWORD", "the password there", is_secret=True),
        Variable("EMAIL_USE_TLS", "encrypt with STARTTLS", kinds.BOOLEAN, default=True),
        Variable("SMTP_CONNECTIONS", "connections of each worker to it", kinds.whole_number(1, 100), default=10),
        Variable(
            "DKIM_SELECTOR",
            "the name of the provider's key in the DNS; checked before an edition is sent",
            kinds.matching(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", "a name such as k1"),
            default_text="not checked",
        ),
        Variable(
            "ALERT_EMAILS",
            "who gets alerts by mail, comma-separated",
            kinds.MAILBOXES,
            default=[],
            default_text="nobody",
        ),
    ],
    "Newsletter": [
        Variable(
            "NEWSLETTER_SEND_PER_SECOND",
            "limit of the provider, for all workers together; 0: none",
            kinds.whole_number(0, 10_000),
            default=0,
        ),
        Variable("NEWSLETTER_SEND_PER_DAY", "the same for a day", MAILS, default=0),
        Variable("NEWSLETTER_WARM_UP_FROM", "first day of a new sender", kinds.DAY, default=None, example="2027-01-31"),
        Variable(
            "NEWSLETTER_WARM_UP_START",
            "how many mails on that day; half as many again each day",
            kinds.whole_number(1, 100_000_000),
            default=500,
        ),
        Variable(
            "NEWSLETTER_REFUSE_DISPOSABLE",
            "refuse disposable addresses instead of marking them",
            kinds.BOOLEAN,
            default=False,
        ),
        Variable(
            "TRACK_CLICKS",
            "count clicks ([what the figures mean](../developers/newsletter.md#counting-opens-and-clicks))",
            kinds.BOOLEAN,
            default=False,
        ),
        Variable("TRACK_OPENS", "count opens", kinds.BOOLEAN, default=False),
        Variable("SIGNUP_LIMIT_PER_ORIGIN", "sign-ups an hour from one IPv4 address or IPv6 /64", REQUESTS, default=20),
        Variable("SIGNUP_LIMIT_GLOBAL", "sign-ups an hour from all together", REQUESTS, default=1000),
        Variable(
            "CONTACT_LIMIT_PER_ORIGIN",
            "messages of the contact form an hour, counted in the same way",
            REQUESTS,
            default=5,
        ),
        Variable(
            "CONTACT_LIMIT_GLOBAL", "messages of the contact form an hour from all together", REQUESTS, default=100
        ),
    ],
    "Bounces": [
        Variable(
            "SOFT_BOUNCES",
            "an address is no longer mailed after so many temporary refusals",
            kinds.whole_number(1, 100),
            default=3,
        ),
        Variable("SOFT_BOUNCE_DAYS", "in so many days", DAYS, default=30),
        Variable(
            "WEBHOOK_SECRET",
            "`user:password` that the provider sends to `/webhooks/<provider>/`; without it (or the provider's own signature key) no message is accepted",
            kinds.matching(r"[!-9;-~]+:[!-~]+", "user:password"),
            is_secret=True,
        ),
        Variable(
            "BOUNCE_ADDRESS",
            "a mailbox for bounced mail, for providers without webhooks; it must accept mail to `name+anything@domain`",
            kinds.ADDRESS,
        ),
        Variable("BOUNCE_IMAP_HOST", "the server that this mailbox is read from", kinds.HOST),
        Variable("BOUNCE_IMAP_PORT", "its port", PORT, default=993),
        Variable("BOUNCE_IMAP_TLS", "encrypt", kinds.BOOLEAN, default=True),
        Variable("BOUNCE_IMAP_USER", "the user there"),
        Variable("BOUNCE_IMAP_PASSWORD", "the password there", is_secret=True),
    ],
    "Machine translation": [
        Variable(
            "MACHINE_TRANSLATOR",
            "translators can have the rest of a page translated by it, always as a draft",
            kinds.one_of("deepl", "libretranslate", "google"),
            default_text="off",
        ),
        Variable("DEEPL_AUTH_KEY", "a key of DeepL", kinds.KEY, default_text="required by `deepl`", is_secret=True),
        Variable("LIBRETRANSLATE_URL", "its address", kinds.URL, default_text="required by `libretranslate`"),
        Variable(
            "LIBRETRANSLATE_API_KEY", "its key", kinds.KEY, default_text="required by `libretranslate`", is_secret=True
        ),
        Variable(
            "GOOGLE_PROJECT_ID",
            "the project; install the package `google-cloud-translate` beside the requirements",
            kinds.KEY,
            default_text="required by `google`",
        ),
        Variable("GOOGLE_CREDENTIALS_PATH", "the file with its key", kinds.FILE, default_text="required by `google`"),
    ],
    "How long personal data is kept": [
        Variable(f"RETENTION_{name}_DAYS", text, DAYS, default=days) for name, (text, days) in DATA_KINDS.items()
    ],
    "Backups": [
        Variable(
            "BACKUP_DIR",
            "where [backups](operating.md#backups) are written",
            kinds.FOLDER,
            default_text="`backups` in `VAR_DIR`",
            example="/var/backups/clac",
            is_in_example=True,
        ),
        Variable("BACKUP_KEEP", "how many are kept; 0: none are made", kinds.whole_number(0, 10_000), default=14),
        Variable(
            "BACKUP_KEY",
            "the age key that encrypts them (`manage.py backup --new-key`)",
            kinds.AGE_KEY,
            is_secret=True,
            example="AGE-SECRET-KEY-1…",
        ),
    ],
    "Files in S3 or a compatible service": [
        Variable(
            "S3_BUCKET",
            "holds pictures, documents and lists",
            kinds.matching(r"[A-Za-z0-9][A-Za-z0-9._-]+", "the name of a bucket"),
            default_text="files in `VAR_DIR`",
        ),
        Variable("S3_ENDPOINT", "its address, if it is not Amazon's", kinds.URL, example="https://s3.example.org"),
        Variable("S3_REGION", "its region", kinds.KEY),
        Variable("S3_ACCESS_KEY", "the key", kinds.KEY, default_text="required by `S3_BUCKET`", is_secret=True),
        Variable("S3_SECRET_KEY", "its secret", kinds.KEY, default_text="required by `S3_BUCKET`", is_secret=True),
    ],
    "Logs and metrics": [
        Variable(
            "LOG_JSON",
            "one JSON object a line instead of text",
            kinds.BOOLEAN,
            default=False,
            example="yes",
            is_in_example=True,
        ),
        Variable(
            "METRICS_TOKEN",
            "the bearer token that Prometheus sends to `/metrics`; without it there is no `/metrics`",
            kinds.KEY,
            is_secret=True,
        ),
        Variable(
            "SENTRY_DSN",
            "where errors are reported, without personal data or form contents",
            kinds.SENTRY_DSN,
            is_secret=True,
        ),
    ],
    "Keys of e-mail providers": [],
}
for _provider in PROVIDERS.values():
    GROUPS["Keys of e-mail providers"].extend(keys_of(_provider))
VARIABLES = {variable.name: variable for group in GROUPS.values() for variable in group}


def setting(name: str) -> Any:
    """Return the value of a setting, or its default. Exit with a message if it is invalid."""
    try:
        return VARIABLES[name].read()
    except ValueError as error:
        sys.exit(str(error))


def required_setting(name: str) -> Any:
    """Return the value of a setting. Exit with a message if it is invalid or not set."""
    if not os.environ.get(name, "").strip():
        sys.exit(f"Setting {name}: it is missing; it takes {VARIABLES[name].kind.takes}. See {TABLE}.")
    return setting(name)


def read_all() -> None:
    """Read every setting, also those that no other one asks for, so that a wrong one is found at the start. Exit as `setting` does."""
    for name in VARIABLES:
        setting(name)
