"""A line in the log for each request."""

from core.routes import shown_path
from django_structlog.middlewares import RequestMiddleware


class RequestLogMiddleware(RequestMiddleware):
    """Writes a line for each request, without what its address may hold of a person."""

    @staticmethod
    def format_request(request):
        return f"{request.method} {shown_path(request)}"
