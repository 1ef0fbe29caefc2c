"""HTML that leaves the site, in feeds and mails: its addresses must be absolute."""

from bs4 import BeautifulSoup
from django.conf import settings


def absolute(path):
    """An address with the site's host."""
    return f"{settings.SITE_URL}{path}" if path.startswith("/") else path


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
