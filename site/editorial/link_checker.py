"""Checks whether links are broken."""

import ipaddress
import socket
from urllib.parse import unquote, urlsplit

import dns.exception
import dns.resolver
import urllib3
from core.images import CustomRendition
from django.conf import settings
from django.test import RequestFactory
from django.urls import Resolver404, resolve
from django.utils.translation import get_language, get_language_from_path, override
from django.utils.translation import gettext as _
from wagtail.contrib.redirects.middleware import get_redirect
from wagtail.models import Page

TIMEOUT_SECONDS = 3
GONE_STATUSES = {404, 410}
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # IPv4 addresses embedded in IPv6 (RFC 6052)


def resolver() -> dns.resolver.Resolver:
    """Return a DNS resolver with a timeout of TIMEOUT_SECONDS."""
    found = dns.resolver.get_default_resolver()
    found.lifetime = TIMEOUT_SECONDS
    return found


def is_online() -> bool:
    """Return whether DNS works on this machine, by asking for the root name servers."""
    try:
        resolver().resolve(".", "NS")
    except dns.exception.DNSException:
        return False
    return True


def check_connection(url: str) -> None:
    """Open and close a TCP connection to the host of `url`. Raises OSError if it fails within TIMEOUT_SECONDS."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    socket.create_connection((parts.hostname, port), TIMEOUT_SECONDS).close()


def is_internal(url: str) -> bool:
    """Return whether an absolute URL leads to this site."""
    return url == settings.SITE_URL or url.startswith(f"{settings.SITE_URL}/")


def check_internal_link(url: str) -> str:
    """Resolve a link to this site without a request. Returns what is wrong with it, or an empty string."""
    path = unquote(urlsplit(url).path) or "/"
    if path.startswith(settings.MEDIA_URL):
        exists = CustomRendition.objects.filter(file=path.removeprefix(settings.MEDIA_URL)).exists()
        return "" if exists else _("there is no such file")
    return "" if _resolves(path) else _("the page is missing or not published")


def _resolves(path: str) -> bool:
    """Return whether a path of this site leads to a view, a published page or a redirect."""
    site = urlsplit(settings.SITE_URL)
    request = RequestFactory(SERVER_NAME=site.hostname).get(path, secure=site.scheme == "https")
    with override(get_language_from_path(path) or get_language()):
        try:
            match = resolve(path)
        except Resolver404:
            return False
        if match.url_name != "wagtail_serve":
            return True
        return bool(Page.route_for_request(request, match.args[0]) or get_redirect(request, path))


def is_public_ip(text: str) -> bool:
    """Return whether an IP address is public.

    Stricter than `is_global`, which accepts multicast, addresses outside of 2000::/3, and embedded IPv4 addresses (6to4, NAT64).
    """
    address = ipaddress.ip_address(text)
    if address in NAT64:
        address = ipaddress.IPv4Address(address.packed[-4:])
    is_unicast = (
        not address.is_multicast if address.version == 4 else address in GLOBAL_UNICAST and not address.sixtofour
    )
    return address.is_global and is_unicast


def resolve_public_ip(host: str) -> str | None:
    """Return an IP address of `host`, or None if any of its addresses is not public. Raises OSError if it does not resolve."""
    addresses = [str(info[4][0]) for info in socket.getaddrinfo(host, None)]
    return addresses[0] if all(map(is_public_ip, addresses)) else None


def fetch_status(url: str, ip: str) -> int:
    """Send a GET request for `url` to the IP address `ip` and return the status. Raises urllib3's HTTPError.

    The address is fixed because the host name could resolve to another one meanwhile (DNS rebinding). Redirects are not followed.
    """
    parts = urlsplit(url)
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            ip,
            parts.port or 443,
            timeout=TIMEOUT_SECONDS,
            retries=False,
            server_hostname=parts.hostname,
            assert_hostname=parts.hostname,
        )
    else:
        pool = urllib3.HTTPConnectionPool(ip, parts.port or 80, timeout=TIMEOUT_SECONDS, retries=False)
    path = parts.path or "/"
    headers = {"User-Agent": "CLAC", "Host": parts.netloc.rpartition("@")[2]}
    with pool:
        target = urllib3.util.Url(path=path, query=parts.query or None).url
        answer = pool.request("GET", target, headers=headers, redirect=False, preload_content=False)
        answer.release_conn()
        return answer.status


def check_external_link(url: str) -> str:
    """Request a link to another site. Returns what is wrong with it, or an empty string. Waits for TIMEOUT_SECONDS at most.

    SSRF protection: only public IP addresses are contacted.
    """
    try:
        ip = resolve_public_ip(urlsplit(url).hostname or "")
    except (OSError, UnicodeError, ValueError):
        return _("the address does not exist")
    if not ip:
        return _("the address is not a public one")
    try:
        status = fetch_status(url, ip)
    except (urllib3.exceptions.HTTPError, ValueError):
        return _("the site does not answer")
    return _("the page is gone (%(status)s)") % {"status": status} if status in GONE_STATUSES else ""
