"""What settings of the environment may hold: kinds of values, each with what it takes and how it is read."""

import difflib
import ipaddress
import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import dj_database_url
import pyrage
from core import mailboxes

SECRET_KEY_LENGTH = 50  # characters; what Django itself generates
BOOLEANS = dict.fromkeys(("yes", "y", "true", "t", "on", "1"), True) | dict.fromkeys(
    ("no", "n", "false", "f", "off", "0"), False
)
# Names in local networks, such as those of containers, may have underscores, which IDNA does not allow.
LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"


@dataclass(frozen=True)
class Kind:
    """A kind of value. `takes` completes “it takes …”; `parse` returns the value of a text.

    `parse` raises ValueError for a text that it does not understand, with the reason where `takes` does not say it.
    """

    takes: str
    parse: Callable[[str], Any]


def whole_number(least: int, most: int) -> Kind:
    """Return the kind of integers from `least` to `most`."""

    def parse(given: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", given) or not least <= int(given) <= most:
            raise ValueError
        return int(given)

    return Kind(f"a whole number from {least} to {most}", parse)


def one_of(*names: str) -> Kind:
    """Return the kind of some words."""

    def parse(given: str) -> str:
        if given not in names:
            near = difflib.get_close_matches(given, names, n=1)
            raise ValueError(f"did you mean {near[0]}?" if near else "")
        return given

    return Kind(f"one of {', '.join(names)}", parse)


def matching(pattern: str, takes: str) -> Kind:
    """Return the kind of texts that match a pattern whole."""

    def parse(given: str) -> str:
        if not re.fullmatch(pattern, given, re.ASCII):
            raise ValueError
        return given

    return Kind(takes, parse)


def list_of(kind: Kind, takes: str) -> Kind:
    """Return the kind of comma-separated lists."""
    return Kind(takes, lambda given: [kind.parse(part.strip()) for part in given.split(",") if part.strip()])


def _text(given: str) -> str:
    if not given.isprintable():
        raise ValueError("it holds a line break or a control letter")
    return given


def _secret_key(given: str) -> str:
    if len(given) < SECRET_KEY_LENGTH or len(set(given)) < 5:
        raise ValueError
    return given


def _boolean(given: str) -> bool:
    if given.lower() not in BOOLEANS:
        raise ValueError
    return BOOLEANS[given.lower()]


def _day(given: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
        raise ValueError
    return date.fromisoformat(given)


@cache
def time_zones() -> frozenset[str]:
    """Return the names of all time zones (IANA)."""
    return frozenset(zoneinfo.available_timezones())


def _time_zone(given: str) -> str:
    if given not in time_zones():
        near = difflib.get_close_matches(given, time_zones(), n=3)
        raise ValueError(f"did you mean {', '.join(near)}?" if near else "")
    return given


def _folder(given: str) -> Path:
    path = Path(_text(given)).absolute()
    above = next(parent for parent in (path, *path.parents) if parent.exists())
    if not above.is_dir():
        raise ValueError(f"{above} is no folder")
    return path


def _file(given: str) -> str:
    if not Path(_text(given)).is_file():
        raise ValueError("there is no such file")
    return given


def _host(given: str) -> str:
    if re.fullmatch(r"[0-9.]+|[0-9a-fA-F]*:[0-9a-fA-F:.]*", given):
        return str(ipaddress.ip_address(given))
    return given.rstrip(".").lower() if re.fullmatch(rf"({LABEL}\.)*{LABEL}\.?", given) else mailboxes.host(given)


def _mailbox(given: str) -> str:
    return str(mailboxes.parse(given))


def _address(given: str) -> str:
    return mailboxes.parse(given).addr_spec


def _split(given: str) -> SplitResult:
    """Return the parts of an http(s) URL, its host in ASCII (IDNA 2008)."""
    parts = urlsplit(_text(given))
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or " " in given:
        raise ValueError
    port = f":{parts.port}" if parts.port is not None else ""  # raises ValueError for a port that is none
    name = _host(parts.hostname)
    parts = parts._replace(netloc=(f"[{name}]" if ":" in name else name) + port)
    if not parts.geturl().isascii():
        raise ValueError
    return parts


def _url(given: str) -> str:
    return _split(given).geturl()


def _site_url(given: str) -> str:
    parts = _split(given)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("a path is not possible")
    return f"{parts.scheme}://{parts.netloc}"


def _cache_url(given: str) -> str:
    return given if given == "cloudflare" else _url(given)


def _redis_url(given: str) -> str:
    from redis.connection import parse_url  # only where it is used, as it is slow to import

    parse_url(given)  # raises ValueError
    if not given.startswith("unix:") and not urlsplit(given).hostname:
        raise ValueError("it names no host")
    return given


def _database_url(given: str) -> dict[str, Any]:
    if urlsplit(given).scheme not in {"sqlite", "postgres", "postgresql", "pgsql"}:
        raise ValueError
    return dict(dj_database_url.parse(given))


def _age_key(given: str) -> str:
    try:
        return str(pyrage.x25519.Identity.from_str(given))
    except pyrage.IdentityError:
        raise ValueError from None


def _sentry_dsn(given: str) -> str:
    from sentry_sdk.utils import BadDsn, Dsn  # only where it is used, as it changes logging

    try:
        Dsn(given)
    except BadDsn as error:
        raise ValueError(str(error)) from None
    return given


TEXT = Kind("a text of one line", _text)
KEY = matching(r"[!-~]+", "letters, digits and signs without a space")
BOOLEAN = Kind("yes or no", _boolean)
DAY = Kind("a day such as 2027-01-31", _day)
TIME_ZONE = Kind("a time zone such as America/El_Salvador", _time_zone)
FOLDER = Kind("the path of a folder", _folder)
FILE = Kind("the path of a file", _file)
HOST = Kind("a host name", _host)
HOSTS = list_of(HOST, "host names in full (no “*”), comma-separated")
SECRET_KEY = Kind(f"{SECRET_KEY_LENGTH} random characters", _secret_key)
MAILBOX = Kind("a mailbox such as Boletín CLAC <boletin@example.org>", _mailbox)
MAILBOXES = list_of(MAILBOX, "addresses such as someone@example.org, comma-separated")
ADDRESS = Kind("an address such as bounces@example.org", _address)
URL = Kind("an address such as https://example.org", _url)
SITE_URL = Kind("an address such as https://example.org, without a path", _site_url)
CACHE_URL = Kind("an address such as http://127.0.0.1:8081, or cloudflare", _cache_url)
REDIS_URL = Kind("redis://host:6379/0, rediss://host:6379/0 or unix:///path", _redis_url)
DATABASE_URL = Kind("postgres://user:password@host/name or sqlite:////path", _database_url)
AGE_KEY = Kind("a key of age (AGE-SECRET-KEY-1…), as `manage.py backup --new-key` makes it", _age_key)
SENTRY_DSN = Kind("an address such as https://key@sentry.example.org/1", _sentry_dsn)
