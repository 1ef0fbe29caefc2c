"""Logs: one line an event, as JSON where a machine reads them, each with the number of its request, task and campaign.

Of a request, only what is known to be nobody's is written: the route, and the address of a page (`shown_path`). Whatever else
a line holds goes through `blank`, which takes out addresses of people, tokens and searches.
"""

import re

import structlog
from django.conf import settings

BLANK = "…"
ADDRESS = re.compile(r"[\w.+%'-]+(?:@|%(?:25)*40)[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
# Tokens, session keys and provider's keys are long and hold digits, or are base32, which at times happens to hold none.
TOKEN = re.compile(r"\b(?:(?=[\w-]*\d)[A-Za-z0-9_-]{20,}|[a-z2-7]{24,}|[A-Z2-7]{24,})\b")
# What a page's address is made of: words of letters and digits, none as long as a token.
PAGE = re.compile(r"/(?:(?:[a-z0-9]{1,20}-)*[a-z0-9]{1,20}/)*")
ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>|\([^)]*\)")
BEGINNINGS = {"admin", "documents", "media", "share", "static", "t", "webhooks"}
SEARCH = re.compile(r"([?&](?:q|email|token|next)=)[^&\s\"']+")
KEPT = {"request_id", "timestamp"}  # long numbers that are meant to be read


def shown_path(request) -> str:
    """What of a request's path is written: its route with numbers filled in, or the address of a page; nothing unknown."""
    match = request.resolver_match
    if match is None or match.url_name == "wagtail_serve":
        path = request.path_info
        return path if match and PAGE.fullmatch(path) else _beginning(path)
    route = ARGUMENT.sub(lambda part: _argument(match.kwargs.get(part[1])), match.route)
    return "/" + re.sub(r"[\^$\\]", "", route)


def _argument(value):
    return str(value) if isinstance(value, int) else BLANK


def _beginning(path):
    first = path.split("/")[1] if path.startswith("/") else ""
    return f"/{first}/{BLANK}" if first in BEGINNINGS or first in dict(settings.LANGUAGES) else f"/{BLANK}"


def shorten_request(logger, method, event):
    """A structlog processor for Django's own lines about a request, which name its path: what is shown of it instead."""
    request = getattr(event.get("_record"), "request", None)
    if request is not None and isinstance(event.get("event"), str):
        event["event"] = event["event"].replace(request.get_full_path(), shown_path(request))
        event["event"] = event["event"].replace(request.path, shown_path(request))
    return event


def blank(text):
    """`text` without addresses, tokens and searches."""
    return TOKEN.sub(BLANK, ADDRESS.sub(BLANK, SEARCH.sub(rf"\1{BLANK}", text)))


def blank_event(logger, method, event):
    """A structlog processor that blanks every text of an event."""
    for key, value in event.items():
        if isinstance(value, str) and key not in KEPT:
            event[key] = blank(value)
    return event


def blank_report(report, hint):
    """Sentry's `before_send`: the same for the report of an error, which takes along neither cookies nor forms."""
    report.pop("user", None)
    request = report.get("request", {})
    for name in ("cookies", "data", "env", "headers", "query_string", "url"):  # the route is the report's transaction
        request.pop(name, None)
    return _blanked(report)


def _blanked(value):
    if isinstance(value, str):
        return blank(value)
    if isinstance(value, dict):
        return {key: _blanked(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_blanked(entry) for entry in value]
    return value


# What every line goes through; blank_event comes after all that adds to it.
SHARED = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.processors.format_exc_info,
]


def configure(as_json):
    """Set structlog up; returns the LOGGING setting."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    end = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    line = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, blank_event, end],
        "foreign_pre_chain": [shorten_request, *SHARED, structlog.stdlib.ExtraAdder(allow=["campaign_id"])],
    }
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
            "django.request": {"level": "ERROR"},  # what readers mistype is no event of ours
        },
    }
