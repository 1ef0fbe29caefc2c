"""The site's URL: keeps Wagtail's Site in line with the setting SITE_URL."""

import ipaddress
from urllib.parse import urlsplit

from caching import page_cache
from django.conf import settings
from wagtail.models import Site


def sync_default_site() -> None:
    """Set host and port of the default Site to those of SITE_URL."""
    address = urlsplit(settings.SITE_URL)
    port = address.port or {"http": 80, "https": 443}[address.scheme]
    Site.objects.filter(is_default_site=True).update(hostname=address.hostname, port=port)
    Site.clear_site_root_paths_cache()
    page_cache.purge()


def passkey_origin() -> str:
    """Return the origin on which passkeys work, or an empty string. Browsers require https and a domain name, or localhost."""
    try:
        ipaddress.ip_address(settings.OTP_WEBAUTHN_RP_ID)
    except ValueError:
        (address,) = settings.OTP_WEBAUTHN_ALLOWED_ORIGINS
        return address if settings.HTTPS or settings.OTP_WEBAUTHN_RP_ID == "localhost" else ""
    return ""
