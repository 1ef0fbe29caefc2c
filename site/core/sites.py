"""Wagtail's site record follows the setting SITE_URL, so that there is only one place to change the address."""

from urllib.parse import urlsplit

from django.conf import settings
from wagtail.models import Site

from . import pagecache


def follow_site_url():
    """Give the default site the host and port of SITE_URL."""
    address = urlsplit(settings.SITE_URL)
    port = address.port or {"http": 80, "https": 443}[address.scheme]
    Site.objects.filter(is_default_site=True).update(hostname=address.hostname, port=port)
    Site.clear_site_root_paths_cache()
    pagecache.purge()
