"""Text and HTML that leave the site, in feeds and mails: addresses are absolute, and XML takes every character."""

import re
from urllib.parse import urljoin

from bs4 import BeautifulSoup
from django.conf import settings

# What XML 1.0 refuses (section 2.2): control characters other than tab and line breaks, surrogates, non-characters.
REFUSED_BY_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def without_control_characters(text: str) -> str:
    """Text without the characters that XML refuses, and that no reader can see."""
    return REFUSED_BY_XML.sub("", text)


def absolute(address: str) -> str:
    """An address as it reads outside the site (RFC 3986): with the site's scheme and host where it has none of its own.

    Fragments stay as they are: they lead to a place in the mail or the entry itself. So do addresses without a slash at the
    beginning: they are mistakes (`www.example.org`), which checks name to the editor.
    """
    if not address.startswith("/"):
        return address
    try:
        return urljoin(f"{settings.SITE_URL}/", address)
    except ValueError:  # such as an IPv6 address without its bracket; link checks name it to the editor
        return address


def absolute_html(html):
    """HTML whose links and pictures are absolute; one picture in place of each choice of formats."""
    soup = BeautifulSoup(html, "html.parser")
    for source in soup.find_all("source"):
        source.decompose()
    for attribute in ("href", "src"):
        for element in soup.find_all(attrs={attribute: True}):
            element[attribute] = absolute(element[attribute])
    for image in soup.find_all("img"):
        for name in ("srcset", "sizes", "loading", "fetchpriority"):
            del image[name]
    return str(soup)
