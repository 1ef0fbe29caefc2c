"""Back end of Wagtail's frontend-cache module for a caching reverse proxy (FRONTEND_CACHE)."""

import logging
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from wagtail.contrib.frontend_cache.backends import HTTPBackend
from wagtail.contrib.frontend_cache.backends.http import PurgeRequest

logger = logging.getLogger(__name__)
PURGE_TIMEOUT_SECONDS = 5
NOT_CACHED_STATUSES = {404, 412}  # the proxy has no copy of the page


class ProxyBackend(HTTPBackend):
    """Sends a PURGE request for the copy in each content encoding. A missing copy is not an error."""

    ENCODINGS = ("br", "gzip", "identity")

    def purge(self, url: str) -> None:
        parts = urlsplit(url)
        address = urlunsplit([self.cache_scheme, self.cache_netloc, parts.path, parts.query, ""])
        for encoding in self.ENCODINGS:
            request = PurgeRequest(address, headers={"Host": parts.netloc, "Accept-Encoding": encoding})
            try:
                urlopen(request, timeout=PURGE_TIMEOUT_SECONDS).close()  # noqa: S310
            except OSError as error:
                if getattr(error, "code", None) not in NOT_CACHED_STATUSES:
                    logger.error("The proxy did not purge %s: %s", url, error)
