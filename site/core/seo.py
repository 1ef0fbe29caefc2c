"""For search engines: robots.txt, the sitemap with translations, schema.org data; and security.txt."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from compat.django import SiteSitemap
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_safe
from wagtail.models import Page, Site

from core.html import absolute
from core.navigation import public, site_settings

from .i18n import language_tag


class PageSitemap(SiteSitemap):
    """All public pages with their translations (hreflang) and last modification."""

    i18n = False
    limit = 5000

    def items(self) -> list[Page]:
        """Return the pages of the site in all languages, each with its translations as `group`."""
        root = Site.objects.get(is_default_site=True).root_page
        pages = list(public(Page.objects.filter(depth__gte=2)).exclude(alias_of__isnull=False).select_related("locale"))
        homes = set(Page.objects.filter(translation_key=root.translation_key).values_list("path", flat=True))
        pages = [page for page in pages if page.path[: 2 * Page.steplen] in homes]
        groups: dict[UUID, list[Page]] = {}
        for page in pages:
            groups.setdefault(page.translation_key, []).append(page)
        for page in pages:
            page.group = groups[page.translation_key]
        return sorted(pages, key=lambda page: page.path)

    def location(self, page: Page) -> str:
        return page.get_url()

    def lastmod(self, page: Page) -> datetime | None:
        return page.last_published_at

    def complete(self, url: dict[str, Any]) -> None:
        """Put the URL on SITE_URL and add its alternates."""
        item = url["item"]
        url["location"] = absolute(item.get_url())
        url["alternates"] = [
            {"lang_code": language_tag(other.locale.language_code), "location": absolute(other.get_url())}
            for other in item.group
        ]
        for page in item.group:
            if page.locale.language_code == settings.LANGUAGE_CODE:
                address = default_address(page.get_url(), page)
                url["alternates"].append({"lang_code": "x-default", "location": address})


def default_address(address: str, page: Page | None) -> str:
    """Return the URL for readers of any other language (x-default), from `address` of a page in the default language.

    The home page has one that chooses the language by the browser's settings.
    """
    return f"{settings.SITE_URL}/" if page and page.depth == 2 else absolute(address)


def robots(request: HttpRequest) -> HttpResponse:
    """robots.txt: disallows the admin and personal links, and names the sitemap."""
    lines = [
        "User-agent: *",
        "Disallow: /admin/",
        "Disallow: /*/subscription/",
        f"Sitemap: {settings.SITE_URL}/sitemap.xml",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def organisation_reference() -> dict[str, Any]:
    """Return the Organization by which other schema.org objects refer to the publisher."""
    return {
        "@type": "Organization",
        "@id": f"{settings.SITE_URL}/#organization",
        "name": settings.WAGTAIL_SITE_NAME,
        "url": settings.SITE_URL,
        "logo": absolute(static("img/mark.svg")),
    }


def organisation() -> list[dict[str, Any]]:
    """Return the Organization and the WebSite of the home page."""
    texts = site_settings(get_language())
    target = f"{settings.SITE_URL}{reverse('search')}?q={{search_term_string}}"
    publisher = organisation_reference() | {"alternateName": texts.full_name}
    if texts.contact_email:
        publisher["email"] = texts.contact_email
    return [
        publisher,
        {
            "@type": "WebSite",
            "name": texts.organisation,
            "url": f"{settings.SITE_URL}/{get_language()}/",
            "inLanguage": language_tag(get_language()),
            "publisher": {"@id": publisher["@id"]},
            "potentialAction": {
                "@type": "SearchAction",
                "target": {"@type": "EntryPoint", "urlTemplate": target},
                "query-input": "required name=search_term_string",
            },
        },
    ]


def breadcrumb_list(crumbs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the BreadcrumbList of (title, path) pairs."""
    items = [
        {"@type": "ListItem", "position": number, "name": title, "item": absolute(path)}
        for number, (title, path) in enumerate(crumbs, 1)
    ]
    return {"@type": "BreadcrumbList", "itemListElement": items}


SECURITY_TXT_DAYS = 180


@require_safe
def security(request: HttpRequest) -> HttpResponse:
    """security.txt: the contact for security reports (RFC 9116)."""
    texts = site_settings(settings.LANGUAGE_CODE)
    contact = f"mailto:{texts.contact_email}" if texts and texts.contact_email else f"{settings.SITE_URL}/"
    expires = (timezone.now() + timedelta(days=SECURITY_TXT_DAYS)).strftime("%Y-%m-%dT00:00:00Z")
    lines = [f"Contact: {contact}", f"Expires: {expires}", "Preferred-Languages: es, en, pt"]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
