"""Logs: one line an event, as JSON where a machine reads them, each with the number of its request, task and campaign.

No line holds an address of a person, a token or what was searched for. Requests are named by their route, never by the path
that was typed; all other text loses what may be an address or a token before it is written, kept or sent to a Sentry.
"""

import html
import logging
import re
import sys
import threading
import unicodedata
from http import HTTPStatus
from urllib.parse import unquote

import structlog

from .redaction import BLANK, redact

# Words end where no address goes on (the specials of RFC 5322), except that a local part may be quoted.
WORD = re.compile(r'"(?:\\.|[^"\\\n]){1,64}"@\S+|(?:[^\s()<>\[\],;"]|(?<=@)\[[^\s\]]*\]|(?<=@)\r?\n[ \t]*(?=\S))+')
ADDRESS = re.compile(r"[^\s@]@")
RUN = re.compile(r"[A-Za-z0-9_-]+")
# What people and programmers write: letters or digits, and where both are mixed, few (utf8, 12px, x86). Tokens and keys are
# longer. The longest words of our languages stay below 20 letters, or change between upper and lower case (ClassNames).
MIXED = re.compile(r"(?=[0-9]*[A-Za-z])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{8,}")
LONG = re.compile(r"(?:[A-Z]{20,}|[A-Z]?[a-z]{20,})")
# As signin.new_recovery_codes makes them.
RECOVERY_CODE = re.compile(r"\b(?:[A-Z2-7]{4}-){7}[A-Z2-7]{4}\b", re.IGNORECASE)
NUMBER = re.compile(r"<int:(\w+)>")
REQUEST_ID = re.compile(r"[0-9a-fA-F-]{1,36}")
TIMES_ENCODED = 3  # an address in a link in a link


def blank(text: str) -> str:
    """`text` without addresses, tokens and the queries of links."""
    for _time in range(TIMES_ENCODED if "&" in text else 0):
        text = html.unescape(text)
    return redact(WORD.sub(_blank_word, RECOVERY_CODE.sub(BLANK, text)))


def _blank_word(match):
    word = match[0]
    plain = _decode(word)
    if ADDRESS.search(plain) or (plain != word and any(map(_is_secret, RUN.findall(plain)))):
        return BLANK
    path, mark, _query = word.partition("?")
    return RUN.sub(lambda run: BLANK if _is_secret(run[0]) else run[0], path) + (
        f"?{BLANK}" if mark and _query else mark
    )


def _decode(word):
    """A word without what links, pages and keyboards do to it."""
    for _time in range(TIMES_ENCODED):
        word = unicodedata.normalize("NFKC", html.unescape(unquote(word)))
    return word


def _is_secret(run):
    return any(MIXED.fullmatch(part) or LONG.fullmatch(part) for part in re.split("[_-]", run))


def blank_all(value):
    """The same for whatever a line of the log may hold: texts in lists and dictionaries too, and what else can be written down."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {blank(str(key)): blank_all(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [blank_all(entry) for entry in value]
    return blank(str(value))


def shown_path(request) -> str:
    """What a request asked for, as it may be logged: its URL pattern with the numbers in it, or the path of a page.

    Never what else was typed: that may be a token, an address or a search.
    """
    page = getattr(request, "_wagtail_route_for_request", None)
    if page and not page.args and not page.kwargs:
        return request.path_info
    if not (found := request.resolver_match):
        return "(no route)"
    return "/" + NUMBER.sub(lambda number: str(found.kwargs[number[1]]), found.route)


# Processors of structlog


def name_route(logger, method, event):
    """Name a request by its status and route where Django would quote its path, host or Referer."""
    record = event.get("_record")
    request = getattr(record, "request", None)
    if hasattr(request, "resolver_match"):
        status = getattr(record, "status_code", None)
        title = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else record.name
        event["event"] = f"{title}: {request.method} {shown_path(request)}"
    return event


def blank_event(logger, method, event):
    """Blank every text of an event."""
    moment, number = event.pop("timestamp", None), event.pop("request_id", None)
    event = blank_all(event)
    if number and REQUEST_ID.fullmatch(number):
        event["request_id"] = number
    if moment:
        event["timestamp"] = moment
    return event


# Sentry

REPORT = {
    "event_id",
    "timestamp",
    "level",
    "platform",
    "logger",
    "server_name",
    "release",
    "environment",
    "sdk",
    "modules",
}
FRAME = {
    "filename",
    "abs_path",
    "function",
    "module",
    "lineno",
    "pre_context",
    "context_line",
    "post_context",
    "in_app",
}


def scrub_report(report, hint):
    """Sentry's `before_send`: a new report of what is known to tell nothing of anybody, and what went wrong."""
    kept = {key: report[key] for key in REPORT & set(report)}
    if report.get("transaction_info", {}).get("source") in {"route", "task"}:
        kept["transaction"] = blank(report["transaction"])
    if method := report.get("request", {}).get("method"):
        kept["request"] = {"method": method}
    if message := report.get("logentry", {}).get("message"):
        kept["logentry"] = {"message": blank(message)}  # as it stands in the code, without what was put in
    if runtime := report.get("contexts", {}).get("runtime"):
        kept["contexts"] = {"runtime": runtime}
    if errors := report.get("exception", {}).get("values"):
        kept["exception"] = {"values": [_scrub_error(error) for error in errors]}
    return kept


def _scrub_error(error):
    frames = (error.get("stacktrace") or {}).get("frames") or []
    return {
        "type": error.get("type"),
        "module": error.get("module"),
        "value": blank(str(error.get("value", ""))),
        "stacktrace": {"frames": [{key: frame[key] for key in FRAME & set(frame)} for frame in frames]},
    }


# Setting up

# What every line goes through; blank_event comes after all that adds to it.
SHARED = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.processors.format_exc_info,
]


def configure(as_json: bool) -> dict:
    """Set structlog up, and have what ends a process or thread logged; returns the LOGGING setting."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda error: _log_uncaught(*error[:3])
    end = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    line = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, blank_event, end],
        "foreign_pre_chain": [name_route, *SHARED, structlog.stdlib.ExtraAdder(allow=["campaign_id"])],
    }
    through_us = {"handlers": [], "propagate": True}  # programs that come with a handler of their own
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": line},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            "newsletter": {"level": "INFO"},
            "core": {"level": "INFO"},
            "django_structlog": {"level": "INFO" if as_json else "WARNING"},
            "django": through_us | {"level": "WARNING"},
            "django.request": {"level": "ERROR"},  # what readers mistype is no event of ours
            "django.server": through_us | {"level": "CRITICAL"},  # runserver's, which quotes the path
            "_granian": through_us | {"level": "WARNING"},
            "granian.access": through_us | {"level": "CRITICAL"},
        },
    }


def _log_uncaught(kind, error, trace):
    """What Python would print on its own."""
    if not issubclass(kind, Exception):  # Ctrl-C, or the end that was asked for
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("core").critical("Uncaught error", exc_info=(kind, error, trace))
