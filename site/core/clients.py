"""Who asks: the address of the visitor, also behind a reverse proxy."""

from django.conf import settings


class ClientAddressMiddleware:
    """Behind a proxy of our own, REMOTE_ADDR is the address that the proxy saw: the last entry of X-Forwarded-For."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
        if settings.BEHIND_PROXY and forwarded:
            request.META["REMOTE_ADDR"] = forwarded.rpartition(",")[2].strip()
        return self.get_response(request)
