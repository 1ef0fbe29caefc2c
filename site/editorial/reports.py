"""Problems found on published pages: the nightly check behind the report."""

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from jobs.periodic import every
from wagtail.models import Page

from editorial import content_checks, link_checker
from editorial.models import PageProblem

MAX_EXTERNAL_LINKS = 2000  # checked in one night
PAUSE_SECONDS = 1  # between two requests to the same host


@every(timedelta(days=1), _("look for broken links and other problems on published pages"))
def check_all_pages() -> int:
    """Check all published pages and replace the PageProblems. Returns their number.

    Each external link is checked once, however many pages have it.
    """
    found: list[PageProblem] = []
    external_links: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for page in Page.objects.live().filter(depth__gt=1).specific().iterator():
        html = content_checks.render_body(page)
        found += [
            PageProblem(page_id=page.pk, kind=kind, values=values)
            for kind, values in content_checks.find_problems(page, html)
        ]
        for url, text in content_checks.external_links(html).items():
            external_links[url].append((page.pk, text))
    if external_links and link_checker.is_online():
        for url in _broken_links(list(external_links)[:MAX_EXTERNAL_LINKS]):
            found += [
                PageProblem(page_id=page_id, kind="other_link", values={"url": url, "text": text})
                for page_id, text in external_links[url]
            ]
    with transaction.atomic():
        PageProblem.objects.all().delete()
        PageProblem.objects.bulk_create(found)
    return len(found)


def _broken_links(urls: Collection[str]) -> Iterator[str]:
    """Yield the broken ones of `urls`. Requests are sequential, to the same host at most one in PAUSE_SECONDS."""
    last_request: dict[str | None, float] = {}
    for url in sorted(urls, key=_round_robin(urls).__getitem__):
        host = urlsplit(url).hostname
        time.sleep(max(0, last_request.get(host, 0) + PAUSE_SECONDS - time.monotonic()))
        is_broken = bool(link_checker.check_external_link(url))
        last_request[host] = time.monotonic()
        if is_broken:
            yield url


def _round_robin(urls: Iterable[str]) -> dict[str, int]:
    """Return {url: its position among the URLs of its host}; sorting by it makes hosts take turns."""
    counts: defaultdict[str | None, int] = defaultdict(int)
    positions = {}
    for url in urls:
        host = urlsplit(url).hostname
        positions[url] = counts[host]
        counts[host] += 1
    return positions
