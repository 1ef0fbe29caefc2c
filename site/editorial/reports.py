"""What is to be mended on the site: looked for each night, shown before publishing and in reports."""

import time
from collections import defaultdict
from datetime import timedelta
from urllib.parse import urlsplit

from core import renditions
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models, transaction
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe
from jobs.periodic import every
from wagtail import hooks
from wagtail.images import get_image_model
from wagtail.models import Page, ReferenceIndex
from wagtail.permission_policies.pages import PagePermissionPolicy

from editorial import content_checks, link_checker
from editorial.content_checks import LABELS
from editorial.models import PageProblem

ROWS = 50
MOST_LINKS = 2000  # to other sites, in one night
PAUSE_SECONDS = 1  # between two requests to one host


@every(timedelta(days=1), gettext_lazy("look for broken links and what else is to be mended"))
def look_at_all_pages():
    """Look at every published page, and at every link to another site once, never twice in a second at one host."""
    found, places = [], defaultdict(list)
    for page in Page.objects.live().filter(depth__gt=1).specific().iterator():
        html = content_checks.parsed(page)
        problems = content_checks.problems(page, html)
        found += [PageProblem(page_id=page.pk, kind=kind, values=values) for kind, values in problems]
        for url, text in content_checks.other_links(html).items():
            places[url].append((page.pk, text))
    if places and link_checker.is_online():
        for url in _gone(list(places)[:MOST_LINKS]):
            values = [(number, {"url": url, "text": text}) for number, text in places[url]]
            found += [PageProblem(page_id=number, kind="other_link", values=one) for number, one in values]
    with transaction.atomic():
        PageProblem.objects.all().delete()
        PageProblem.objects.bulk_create(found)
    return len(found)


def _gone(urls):
    """Those of `urls` that lead nowhere; asked one after the other, a host at most once in PAUSE_SECONDS."""
    last = {}
    for url in sorted(urls, key=_turn(urls).get):
        host = urlsplit(url).hostname
        time.sleep(max(0, last.get(host, 0) + PAUSE_SECONDS - time.monotonic()))
        is_gone = bool(link_checker.problem_of_other(url))
        last[host] = time.monotonic()
        if is_gone:
            yield url


def _turn(urls):
    """{url: its number among those of its host}, so that hosts take turns."""
    seen, turns = defaultdict(int), {}
    for url in urls:
        host = urlsplit(url).hostname
        turns[url] = seen[host]
        seen[host] += 1
    return turns


@hooks.register("before_publish_page")
def look_before_publishing(request, page):
    """What must not go out stops a page, whose draft is kept; the rest is said and does not stop it."""
    findings = content_checks.look_at(page)
    if not content_checks.blocks(findings):
        return None
    for one in findings:
        if one.level == content_checks.BLOCKS:
            messages.error(request, _("Not published, kept as a draft: %(problem)s") % {"problem": one.text})
    return redirect("wagtailadmin_pages:edit", page.pk)


@hooks.register("before_publish_page", order=10)
def say_what_it_waits_for(request, page):
    """A page whose pictures are not ready goes live when they are, and its editor is told so."""
    if not renditions.wait_for_pictures(page.latest_revision, request.user, skip_permission_checks=True):
        return None
    messages.info(request, renditions.waiting_text(page))
    return redirect("wagtailadmin_pages:edit", page.pk)


@hooks.register("after_publish_page")
def say_what_could_be_better(request, page):
    for one in content_checks.look_at(page):
        if one.level == content_checks.WARNS:
            messages.warning(request, one.text)


def _visible(request, page_id):
    page = get_object_or_404(Page, pk=page_id)
    rights = page.permissions_for_user(request.user)
    if not (rights.can_edit() or rights.can_publish()):
        raise PermissionDenied
    return page.get_latest_revision_as_object()


@require_safe
def look_at_page(request, page_id):
    """What there is to say about a draft."""
    page = _visible(request, page_id)
    return render(request, "editorial/page_checks.html", {"page": page, "findings": content_checks.look_at(page)})


@require_safe
def side_by_side(request, page_id):
    """A page in all its languages, beside each other, as wide as on a phone, a tablet or a computer."""
    page = _visible(request, page_id)
    widths = [("375", _("Phone")), ("768", _("Tablet")), ("1200", _("Computer"))]
    width = request.GET.get("width") if request.GET.get("width") in dict(widths) else "375"
    others = [one for one in page.get_translations(inclusive=True) if one.permissions_for_user(request.user).can_edit()]
    others.sort(key=lambda one: one.locale_id)
    return render(
        request, "editorial/side_by_side.html", {"page": page, "pages": others, "widths": widths, "width": width}
    )


@require_safe
def report(request):
    """What last night's look found on the pages that somebody works on."""
    mine = PagePermissionPolicy().instances_user_has_permission_for(request.user, "change")
    rows = PageProblem.objects.filter(page__in=mine).select_related("page__locale")
    numbers = dict(rows.order_by().values_list("kind").annotate(models.Count("pk")))
    kind = request.GET.get("kind", "")
    kinds = [(name, label, numbers[name]) for name, label in LABELS.items() if name in numbers]
    shown = rows.filter(kind=kind) if kind in numbers else rows
    page = Paginator(shown, ROWS).get_page(request.GET.get("p"))
    return render(request, "editorial/problems.html", {"page": page, "kinds": kinds, "kind": kind})


@require_safe
def unused_images(request):
    """The images that stand on no page, the oldest first."""
    images = get_image_model()
    used = ReferenceIndex.objects.filter(to_content_type=ReferenceIndex._get_base_content_type(images))
    numbers = {int(number) for number in used.values_list("to_object_id", flat=True)}
    rows = images.objects.exclude(pk__in=numbers).order_by("created_at")
    page = Paginator(rows, ROWS).get_page(request.GET.get("p"))
    return render(request, "editorial/unused_images.html", {"page": page})
