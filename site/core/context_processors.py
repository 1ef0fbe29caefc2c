"""What every template may use."""

from caching.page_cache import shared_generation
from django.conf import settings
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language

from core.navigation import site_texts


def site(request):
    """The site's texts (read only where a template asks), its public address, and a key for cached parts of pages."""
    return {
        "site_texts": SimpleLazyObject(lambda: site_texts(get_language())),
        "SITE_URL": settings.SITE_URL,
        "generation": shared_generation().current().hex(),
    }
