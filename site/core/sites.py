"""The address of the site: Wagtail's site record follows the setting SITE_URL, the one place to change it."""

import ipaddress
from urllib.parse import urlsplit

from caching import page_cache
from django.conf import settings
from wagtail.models import Site


def follow_site_url():
    """Give the default site the host and port of SITE_URL."""
    address = urlsplit(settings.SITE_URL)
    port = address.port or {"http": 80, "https": 443}[address.scheme]
    Site.objects.filter(is_default_site=True).update(hostname=address.hostname, port=port)
    Site.clear_site_root_paths_cache()
    page_cache.purge()


def passkey_origin() -> str:
    """Where the site's passkeys work, as a browser's origin; empty if nowhere. Browsers want https and a domain name, or localhost."""
    try:
        ipaddress.ip_address(settings.OTP_WEBAUTHN_RP_ID)
    except ValueError:
        (address,) = settings.OTP_WEBAUTHN_ALLOWED_ORIGINS
        return address if settings.HTTPS or settings.OTP_WEBAUTHN_RP_ID == "localhost" else ""
    return ""
