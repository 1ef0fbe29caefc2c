"""Who asks: the address of the visitor, also behind a reverse proxy."""

import ipaddress

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


def truncated_origin(request):
    """The visitor's network, as it is kept with consent: an IPv4 address without its last byte, an IPv6 address as its /48."""
    return _network(request, 24, 48)


def origin(request):
    """The visitor's place, as it is counted for limits: an IPv4 address, or the /64 that an IPv6 household has."""
    return _network(request, 32, 64)


def _network(request, bits, bits_of_six):
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ipaddress.ip_network((address, bits if address.version == 4 else bits_of_six), strict=False))
