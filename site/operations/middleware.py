"""Request log."""

from core.routes import loggable_path
from django_structlog.middlewares import RequestMiddleware


class RequestLogMiddleware(RequestMiddleware):
    """Logs each request without personal data in its path."""

    @staticmethod
    def format_request(request):
        return f"{request.method} {loggable_path(request)}"
