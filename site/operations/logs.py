"""Logs: one line an event, as JSON where a machine reads them, each with the number of its request, task and campaign.

No line holds an address of a person, a token or what was searched for. Requests are named by their route, never by the path
that was typed; all other text loses what may be an address or a token before it is written, kept or sent to a Sentry.
"""

import logging
import re
import sys
import threading
from http import HTTPStatus

import structlog
from core.routes import loggable_path
from redaction.text import blank, blank_all

logger = logging.getLogger(__name__)
REQUEST_ID = re.compile(r"[0-9a-fA-F-]{1,36}")


# Processors of structlog


def name_route(logger, method, event):
    """Name a request by its status and route where Django would quote its path, host or Referer."""
    record = event.get("_record")
    request = getattr(record, "request", None)
    if hasattr(request, "resolver_match"):
        status = getattr(record, "status_code", None)
        title = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else record.name
        event["event"] = f"{title}: {request.method} {loggable_path(request)}"
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

OURS = [
    "accounts",
    "caching",
    "core",
    "editorial",
    "home",
    "jobs",
    "news",
    "newsletter",
    "operations",
    "privacy",
    "search",
    "translation",
]
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
            **{name: {"level": "INFO"} for name in OURS},
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
    logger.critical("Uncaught error", exc_info=(kind, error, trace))
