"""Page views by path and day, without any data about visitors.

Each process counts in memory and adds its counts to the database once a minute. Counts not yet written are lost when the
process is killed.
"""

import atexit
import logging
import re
import threading
import time
from collections import Counter
from datetime import timedelta

from caching.signals import page_read
from core.page_permissions import HOME_DEPTH
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.db.models import F, Sum
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from wagtail.models import Page

from editorial.models import PageViewCount

logger = logging.getLogger(__name__)
FLUSH_SECONDS = 60
PAGE_PATHS = re.compile(rf"/(?:{'|'.join(dict(settings.LANGUAGES))})/[^.]*$")
BOTS = re.compile(
    r"bot|crawl|spider|slurp|preview|monitor|fetch|curl|wget|python|java|go-http|headless|lighthouse", re.I
)
_counts: Counter[str] = Counter()
_lock = threading.Lock()


@receiver(page_read)
def count_view(request: HttpRequest, **kwargs: object) -> None:
    """Count a page view, unless it is a bot's or a browser's prefetch."""
    meta = request.META
    agent = meta.get("HTTP_USER_AGENT", "")
    is_page = request.method == "GET" and PAGE_PATHS.match(request.path_info)
    if is_page and agent and "HTTP_SEC_PURPOSE" not in meta and not BOTS.search(agent):
        with _lock:
            _counts[request.path_info[:255]] += 1


def flush() -> None:
    """Add the counts to the database. If it is unavailable, they are kept for the next call."""
    with _lock:
        counted = dict(_counts)
        _counts.clear()
    day = timezone.localdate()
    try:
        rows = [PageViewCount(path=path, day=day) for path in sorted(counted)]
        PageViewCount.objects.bulk_create(rows, ignore_conflicts=True)
        for path in sorted(counted):
            PageViewCount.objects.filter(path=path, day=day).update(number=F("number") + counted[path])
            del counted[path]
    except DatabaseError as error:
        logger.warning("Page views could not be written, trying again later: %s", error)
        with _lock:
            _counts.update(counted)


def start() -> None:
    """Flush the counts every FLUSH_SECONDS from now on, and when the process exits."""

    def write() -> None:
        while True:
            time.sleep(FLUSH_SECONDS)
            close_old_connections()
            flush()

    threading.Thread(target=write, name="page-views", daemon=True).start()
    atexit.register(flush)


def most_read(days: int = 30, number: int = 10) -> list[tuple[Page, int]]:
    """Return [(Page, views in the last `days`)] of at most `number` pages, most viewed first."""
    since = timezone.localdate() - timedelta(days=days)
    rows = (
        PageViewCount.objects.filter(day__gt=since).values_list("path").annotate(total=Sum("number")).order_by("-total")
    )
    homes = {
        home.locale.language_code: home.url_path
        for home in Page.objects.filter(depth=HOME_DEPTH).select_related("locale")
    }
    wanted = {}
    for path, total in rows[: 3 * number]:  # some paths are not pages
        _empty, language, rest = path.split("/", 2)
        if language in homes:
            wanted[homes[language] + rest] = total
    pages = {page.url_path: page for page in Page.objects.filter(url_path__in=wanted).select_related("locale")}
    return [(pages[path], total) for path, total in wanted.items() if path in pages][:number]
