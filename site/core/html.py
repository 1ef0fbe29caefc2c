"""HTML and text for feeds and mails: absolute URLs, and no characters that are invalid in XML."""

import re
from urllib.parse import urljoin

from bs4 import BeautifulSoup
from django.conf import settings

# Characters outside of XML 1.0's Char production (section 2.2): control characters other than tab and line breaks, surrogates, non-characters.
INVALID_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def without_control_characters(text: str) -> str:
    """Return `text` without characters that are invalid in XML. They are all invisible."""
    return INVALID_IN_XML.sub("", text)


def absolute(address: str) -> str:
    """Return the absolute form of a URL on this site (RFC 3986).

    Only URLs that begin with a slash are changed: fragments lead to a place in the same document, and anything else without a
    scheme (`www.example.org`) is a mistake that the content checks report.
    """
    if not address.startswith("/"):
        return address
    try:
        return urljoin(f"{settings.SITE_URL}/", address)
    except ValueError:  # such as an IPv6 address without its bracket; content checks report it
        return address


def absolute_html(html: str) -> str:
    """Return HTML with absolute URLs of links and images, and a single <img> in place of each <picture>."""
    soup = BeautifulSoup(html, "html.parser")
    for source in soup.find_all("source"):
        source.decompose()
    for attribute in ("href", "src"):
        for element in soup.find_all(None, {attribute: True}):
            element[attribute] = absolute(str(element[attribute]))
    for image in soup.find_all("img"):
        for name in ("srcset", "sizes", "loading", "fetchpriority"):
            del image[name]
    return str(soup)
