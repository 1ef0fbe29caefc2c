"""Structured logs: one line per event, optionally JSON, with the ids of request, task and campaign.

Logs contain no e-mail addresses, tokens or search terms. Requests are logged by route instead of path, and all other text is
redacted before it is written or sent to Sentry.
"""

import logging
import re
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any

import structlog
from core.routes import loggable_path
from redaction.text import blank, blank_all
from structlog.typing import EventDict, Processor, WrappedLogger

logger = logging.getLogger(__name__)
REQUEST_ID = re.compile(r"[0-9a-fA-F-]{1,36}")


# structlog processors


def name_route(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replace Django's message about a request, which quotes path, host or Referer, by its status and route."""
    record: logging.LogRecord | None = event.get("_record")
    request = getattr(record, "request", None)
    if record and request and hasattr(request, "resolver_match"):
        status = getattr(record, "status_code", 0)
        title = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else record.name
        event["event"] = f"{title}: {request.method} {loggable_path(request)}"
    return event


def blank_event(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Redact all text of an event, except its timestamp and a valid request id."""
    timestamp, request_id = event.pop("timestamp", None), event.pop("request_id", None)
    event = blank_all(event)
    if request_id and REQUEST_ID.fullmatch(request_id):
        event["request_id"] = request_id
    if timestamp:
        event["timestamp"] = timestamp
    return event


# Sentry

SAFE_REPORT_KEYS = {
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
SAFE_FRAME_KEYS = {
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


def scrub_report(report: Mapping[str, Any], hint: Mapping[str, Any]) -> dict[str, Any]:
    """Sentry's `before_send`: build a report from fields without personal data, and the redacted error."""
    safe = {key: report[key] for key in SAFE_REPORT_KEYS & set(report)}
    if report.get("transaction_info", {}).get("source") in {"route", "task"}:
        safe["transaction"] = blank(report["transaction"])
    if method := report.get("request", {}).get("method"):
        safe["request"] = {"method": method}
    if message := report.get("logentry", {}).get("message"):
        safe["logentry"] = {"message": blank(message)}  # the format string without its arguments
    if runtime := report.get("contexts", {}).get("runtime"):
        safe["contexts"] = {"runtime": runtime}
    if errors := report.get("exception", {}).get("values"):
        safe["exception"] = {"values": [_scrub_error(error) for error in errors]}
    return safe


def _scrub_error(error: Mapping[str, Any]) -> dict[str, Any]:
    frames = (error.get("stacktrace") or {}).get("frames") or []
    return {
        "type": error.get("type"),
        "module": error.get("module"),
        "value": blank(str(error.get("value", ""))),
        "stacktrace": {"frames": [{key: frame[key] for key in SAFE_FRAME_KEYS & set(frame)} for frame in frames]},
    }


# Configuration

OWN_LOGGERS = [
    "accounts",
    "caching",
    "config",
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
# Processors of all log lines; blank_event has to run after them.
SHARED_PROCESSORS: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.processors.format_exc_info,
]


def configure(as_json: bool) -> dict[str, Any]:
    """Configure structlog, log uncaught exceptions of the process and its threads, and return the LOGGING setting."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED_PROCESSORS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda error: _log_uncaught(
        error.exc_type, error.exc_value or error.exc_type(), error.exc_traceback
    )
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    line = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, blank_event, renderer],
        "foreign_pre_chain": [name_route, *SHARED_PROCESSORS, structlog.stdlib.ExtraAdder(allow=["campaign_id"])],
    }
    use_root_handler = {"handlers": [], "propagate": True}  # loggers of packages that install their own handlers
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": line},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            **{name: {"level": "INFO"} for name in OWN_LOGGERS},
            "django_structlog": {"level": "INFO" if as_json else "WARNING"},
            "django": use_root_handler | {"level": "WARNING"},
            "django.request": {"level": "ERROR"},  # omit 404s
            "django.server": use_root_handler | {"level": "CRITICAL"},  # runserver, which quotes the path
            "_granian": use_root_handler | {"level": "WARNING"},
            "granian.access": use_root_handler | {"level": "CRITICAL"},
        },
    }


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """sys.excepthook that logs exceptions instead of printing them."""
    if not issubclass(kind, Exception):  # KeyboardInterrupt, SystemExit
        sys.__excepthook__(kind, error, trace)
        return
    logger.critical("Uncaught error", exc_info=(kind, error, trace))
