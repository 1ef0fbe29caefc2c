"""Which pages are read: counted by page and day, and nothing about who reads.

No cookie, no address, no browser and no third party: a number in the process's memory goes up, and once a minute the numbers
go to the database. What a process that is killed had not written yet is lost; that is what a count without traces costs.
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
from django.db import DatabaseError, close_old_connections
from django.db.models import F, Sum
from django.dispatch import receiver
from django.utils import timezone

logger = logging.getLogger(__name__)
FLUSH_SECONDS = 60
PAGES = re.compile(r"/(?:es|en|pt-br)/[^.]*$")
MACHINES = re.compile(
    r"bot|crawl|spider|slurp|preview|monitor|fetch|curl|wget|python|java|go-http|headless|lighthouse", re.I
)
_counts, _lock = Counter(), threading.Lock()


@receiver(page_read)
def count_view(request, **kwargs):
    """Count the reading of a page, unless a machine asks or a browser fetches it before anybody wants it."""
    meta = request.META
    agent = meta.get("HTTP_USER_AGENT", "")
    is_page = request.method == "GET" and PAGES.match(request.path_info)
    if is_page and agent and "HTTP_SEC_PURPOSE" not in meta and not MACHINES.search(agent):
        with _lock:
            _counts[request.path_info[:255]] += 1


def flush():
    """Add what was counted to the database. If it cannot be reached, the numbers are kept for the next time."""
    from editorial.models import PageViewCount

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
        logger.warning("Readings are not written yet: %s", error)
        with _lock:
            _counts.update(counted)


def start():
    """Write the numbers once a minute from now on, and when the process ends."""

    def write():
        while True:
            time.sleep(FLUSH_SECONDS)
            close_old_connections()
            flush()

    threading.Thread(target=write, name="readings", daemon=True).start()
    atexit.register(flush)


def most_read(days=30, number=10):
    """[(Page, how often it was read in the last `days`)], the most read first."""
    from wagtail.models import Page

    from editorial.models import PageViewCount

    since = timezone.localdate() - timedelta(days=days)
    rows = (
        PageViewCount.objects.filter(day__gt=since).values_list("path").annotate(total=Sum("number")).order_by("-total")
    )
    homes = {
        home.locale.language_code: home.url_path
        for home in Page.objects.filter(depth=HOME_DEPTH).select_related("locale")
    }
    wanted = {}
    for path, total in rows[: 3 * number]:  # some lead to no page
        _empty, language, rest = path.split("/", 2)
        if language in homes:
            wanted[homes[language] + rest] = total
    pages = {page.url_path: page for page in Page.objects.filter(url_path__in=wanted).select_related("locale")}
    return [(pages[path], total) for path, total in wanted.items() if path in pages][:number]
