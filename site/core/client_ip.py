"""The client's IP address, behind a reverse proxy too."""

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class ClientAddressMiddleware:
    """With BEHIND_PROXY, sets REMOTE_ADDR to the address that the proxy saw: the last entry of X-Forwarded-For."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
        if settings.BEHIND_PROXY and forwarded:
            request.META["REMOTE_ADDR"] = forwarded.rpartition(",")[2].strip()
        return self.get_response(request)


def truncated_origin(request: HttpRequest) -> str:
    """Return the client's network as stored with consent: the /24 of an IPv4 address, the /48 of an IPv6 address."""
    return _network(request, 24, 48)


def origin(request: HttpRequest) -> str:
    """Return the client's network for rate limits: an IPv4 address, or the /64 of an IPv6 address, which one household uses."""
    return _network(request, 32, 64)


def _network(request: HttpRequest, ipv4_prefix: int, ipv6_prefix: int) -> str:
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ipaddress.ip_network((address, ipv4_prefix if address.version == 4 else ipv6_prefix), strict=False))
