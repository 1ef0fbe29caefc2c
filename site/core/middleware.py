"""Security headers, and the language of a request."""

from collections.abc import Callable

from compat.wagtail import set_site
from csp.constants import NONCE
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from wagtail.models import Page

from core import csp
from core.navigation import site

from .embeds import FRAME_HOSTS

# Wagtail's admin has inline scripts, which get a nonce (core/csp.py), and its editor creates style elements.
ADMIN_POLICY = {
    "default-src": ["'none'"],
    "object-src": ["'none'"],
    "script-src": ["'self'", NONCE],
    "style-src": ["'self'", "'unsafe-inline'"],
    "img-src": ["'self'", "data:", "blob:"],
    "font-src": ["'self'", "data:"],
    "connect-src": ["'self'"],
    "frame-src": ["'self'", *FRAME_HOSTS],
    "manifest-src": ["'self'"],
    "worker-src": ["'self'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'self'"],
}


class SecurityHeadersMiddleware(CSPMiddleware):
    """Sets Content-Security-Policy (strict on the site, relaxed in the admin) and Cross-Origin-Resource-Policy."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        # Signed-in editors see Wagtail's user bar on the site, which needs the admin's policy.
        if request.path_info.startswith("/admin/") or settings.SESSION_COOKIE_NAME in request.COOKIES:
            parts.config = ADMIN_POLICY if not report_only else None
        return parts

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        csp.set_current_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response = super().process_response(request, response)
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            response.headers.setdefault("Cache-Control", "private, no-store")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response


class RootPageMiddleware:
    """Returns 404 for actions on the root of the page tree, where Wagtail's views would fail."""

    ACTIONS = ("wagtailadmin_pages:lock", "wagtailadmin_pages:unlock", "wagtailadmin_pages:set_page_position")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> None:
        match = request.resolver_match
        if match and match.view_name in self.ACTIONS:
            page_id = kwargs.get("page_id") or kwargs["page_to_move_id"]
            if Page.objects.filter(pk=page_id, depth=1).exists():
                raise Http404


class LanguageMiddleware(LocaleMiddleware):
    """Django's LocaleMiddleware, without redirects of missing unprefixed URLs (admin, media, …) to a language prefix."""

    HEALTH_CHECKS = ("/healthz", "/readyz")  # must not query the database
    UNPREFIXED = ("/admin/", "/documents/", "/media/", "/metrics", "/share/", "/static/", "/t/", "/webhooks/")

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        if request.path_info in self.HEALTH_CHECKS:
            return
        host = split_domain_port(request.get_host())[0]
        set_site(request, site(host, request.get_port()))

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.status_code == 404 and request.path_info.startswith(self.UNPREFIXED):
            return response
        return super().process_response(request, response)
