"""A line in the log for each request."""

from core.routes import loggable_path
from django_structlog.middlewares import RequestMiddleware


class RequestLogMiddleware(RequestMiddleware):
    """Writes a line for each request, without what its address may hold of a person."""

    @staticmethod
    def format_request(request):
        return f"{request.method} {loggable_path(request)}"
