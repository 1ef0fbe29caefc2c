"""What every template may use."""

from django.conf import settings
from django.utils.functional import SimpleLazyObject

from .models import SiteTexts


def site(request):
    """The site's texts (read only where a template asks) and its public address."""
    return {"site_texts": SimpleLazyObject(SiteTexts.current), "SITE_URL": settings.SITE_URL}
