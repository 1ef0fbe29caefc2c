"""Links: whether they lead anywhere."""

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

SECONDS = 3
GONE = {404, 410}
UNICAST = ipaddress.ip_network("2000::/3")
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # how a network without IPv4 writes an IPv4 address


def resolver():
    """A resolver that gives up after SECONDS."""
    found = dns.resolver.get_default_resolver()
    found.lifetime = SECONDS
    return found


def is_online():
    """Whether this machine can ask the DNS at all: the root's name servers are always there."""
    try:
        resolver().resolve(".", "NS")
    except dns.exception.DNSException:
        return False
    return True


def reach(url):
    """Open a connection to a site and close it again. Raises OSError if that cannot be done within SECONDS."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    socket.create_connection((parts.hostname, port), SECONDS).close()


def is_own(url):
    """Whether a link leads to this site."""
    return url == settings.SITE_URL or url.startswith(f"{settings.SITE_URL}/")


def problem_of_own(url):
    """What is wrong with a link to this site, by where the site would route it; empty if nothing is."""
    path = unquote(urlsplit(url).path) or "/"
    if path.startswith(settings.MEDIA_URL):
        exists = CustomRendition.objects.filter(file=path.removeprefix(settings.MEDIA_URL)).exists()
        return "" if exists else _("there is no such file")
    return "" if _leads_somewhere(path) else _("the page is missing or not published")


def _leads_somewhere(path):
    """Whether a path of this site is a view, a published page, or redirected."""
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


def is_public(place):
    """Whether an IP address lies on the public network. Python calls a few global that are not, or that carry another one within."""
    address = ipaddress.ip_address(place)
    if address in NAT64:
        address = ipaddress.IPv4Address(address.packed[-4:])
    is_unicast = not address.is_multicast if address.version == 4 else address in UNICAST and not address.sixtofour
    return address.is_global and is_unicast


def public_place(host):
    """The IP address of a host, or None if any of its addresses is not on the public network. Raises OSError if it has none."""
    places = [place[4][0] for place in socket.getaddrinfo(host, None)]
    return places[0] if all(map(is_public, places)) else None


def ask(url, place):
    """The status of a GET for `url`, asked of the IP address `place` and no other: a name may lead elsewhere a moment later.

    Redirects are not followed. Raises urllib3's HTTPError.
    """
    parts = urlsplit(url)
    options = {"timeout": SECONDS, "retries": False}
    if parts.scheme == "https":
        names = {"server_hostname": parts.hostname, "assert_hostname": parts.hostname}
        pool = urllib3.HTTPSConnectionPool(place, parts.port or 443, **options, **names)
    else:
        pool = urllib3.HTTPConnectionPool(place, parts.port or 80, **options)
    path = parts.path or "/"
    headers = {"User-Agent": "CLAC", "Host": parts.netloc.rpartition("@")[2]}
    with pool:
        target = urllib3.util.Url(path=path, query=parts.query or None).url
        answer = pool.request("GET", target, headers=headers, redirect=False, preload_content=False)
        answer.release_conn()
        return answer.status


def problem_of_other(url):
    """What is wrong with a link to another site; empty if nothing is, or nothing can be said now. Waits SECONDS at most.

    Only public addresses are asked: a link must not make this machine knock at doors of its own network.
    """
    try:
        place = public_place(urlsplit(url).hostname or "")
    except (OSError, UnicodeError, ValueError):
        return _("the address does not exist")
    if not place:
        return _("the address is not a public one")
    try:
        status = ask(url, place)
    except (urllib3.exceptions.HTTPError, ValueError):
        return _("the site does not answer")
    return _("the page is gone (%(status)s)") % {"status": status} if status in GONE else ""
