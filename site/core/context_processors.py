"""Context processors."""

from caching.page_cache import shared_generation
from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language

from core.navigation import site_settings


def site(request: HttpRequest) -> dict[str, object]:
    """Add the SiteSettings (loaded lazily), the public URL, and the page cache's generation as a key for template fragments."""
    return {
        "site_settings": SimpleLazyObject(lambda: site_settings(get_language())),
        "SITE_URL": settings.SITE_URL,
        "generation": shared_generation().current().hex(),
    }
