"""Logs: one line an event, as JSON where a machine reads them, each with the number of its request, task and campaign.

Addresses of people, links that let their holder in, and what readers searched for are blanked before a line is written.
"""

import re

import structlog

BLANK = "…"
ADDRESS = re.compile(r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)+")
# The tokens of newsletter/tokens.py, session keys, provider's keys: long, without spaces, and nobody's business.
TOKEN = re.compile(r"\b(?=[\w-]*\d)[A-Za-z0-9_-]{24,}\b")
SEARCH = re.compile(r"([?&](?:q|email|token|next)=)[^&\s\"']+")
KEPT = {"request_id", "timestamp"}  # long numbers that are meant to be read


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
    for name in ("cookies", "data", "env", "headers"):
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
        "foreign_pre_chain": [*SHARED, structlog.stdlib.ExtraAdder(allow=["campaign_id"])],
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
