"""Redirects that stay on this site."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme


def safe_url(request: HttpRequest, url: str) -> str:
    """Return `url` if it is an address of this site, otherwise the admin's home page."""
    is_safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if is_safe else reverse("wagtailadmin_home")


def next_url(request: HttpRequest) -> str:
    """Return the safe address in the request's parameter `next`."""
    return safe_url(request, request.POST.get("next") or request.GET.get("next", ""))


def redirect_and_return(name: str, request: HttpRequest) -> HttpResponseRedirect:
    """Redirect to a view that afterwards leads back to the current page."""
    url = request.get_full_path() if request.method == "GET" else request.META.get("HTTP_REFERER", "")
    return redirect_with_next(name, safe_url(request, url))


def redirect_with_next(name: str, url: str) -> HttpResponseRedirect:
    """Redirect to a view with `url` as its parameter `next`."""
    return HttpResponseRedirect(f"{reverse(name)}?{urlencode({'next': url})}")
