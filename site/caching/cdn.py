"""A caching proxy of our own in front of the site, for Wagtail's frontend-cache module."""

import logging
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from wagtail.contrib.frontend_cache.backends import HTTPBackend
from wagtail.contrib.frontend_cache.backends.http import PurgeRequest

logger = logging.getLogger(__name__)
PURGE_SECONDS = 5
NOT_KEPT = {404, 412}  # how proxies say that they hold no such page


class ProxyBackend(HTTPBackend):
    """A caching proxy of our own: PURGE for the copy in each encoding; that it holds none is no error."""

    ENCODINGS = ("br", "gzip", "identity")

    def purge(self, url):
        parts = urlsplit(url)
        address = urlunsplit([self.cache_scheme, self.cache_netloc, parts.path, parts.query, ""])
        for encoding in self.ENCODINGS:
            request = PurgeRequest(address, headers={"Host": parts.netloc, "Accept-Encoding": encoding})
            try:
                urlopen(request, timeout=PURGE_SECONDS).close()  # noqa: S310
            except OSError as error:
                if getattr(error, "code", None) not in NOT_KEPT:
                    logger.error("The proxy did not purge %s: %s", url, error)
