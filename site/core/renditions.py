"""Renditions, the resized copies of pictures: which ones there are, and how a worker makes them before a reader asks.

A draft's are made when it is saved; a page that is published before they are ready goes live when they are. What is missing all
the same, after a change of a picture or of SHAPES, is made by a worker when a reader asks for it.
"""

import logging
import time
from contextvars import ContextVar
from datetime import timedelta

from caching import page_cache
from django.core.cache import cache
from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from django_tasks import task
from jobs.heartbeat import active_workers
from jobs.process import run_batches
from wagtail.actions.publish_page_revision import PublishPageRevisionAction
from wagtail.images.models import Filter
from wagtail.models import Page, ReferenceIndex, Revision

from .images import CustomImage, CustomRendition

logger = logging.getLogger(__name__)
_FORMATS = "format-{avif,webp,jpeg}"
# All that pages show, as Wagtail writes it. What has one size is done without until it is there.
SHAPES = {
    "lead": [_FORMATS, "width-{480,800,1240}"],
    "picture": [_FORMATS, "width-{400,800,1312}"],
    "gallery": [_FORMATS, "fill-{320x240,640x480}"],
    "large": ["width-1600", "format-jpeg"],
    "video": [_FORMATS, "fill-{640x360,1280x720}"],
    "column": [_FORMATS, "width-{320,640}"],
    "share": ["fill-1200x630", "format-jpeg"],
}
LONGEST_WAIT = timedelta(minutes=3)  # then a page goes live with what there is
TURN_SECONDS = 20
ASKED_SECONDS = 300  # before a process asks again for the same renditions
# What is missing of the page that is looked over in this thread: {(number of the picture, spec)}. None: somebody is shown a page.
_missing: ContextVar[set | None] = ContextVar("missing", default=None)


def find(image: CustomImage, shape: str, request=None) -> dict[str, CustomRendition]:
    """The renditions of a picture in one of SHAPES, by their specs: those that there are.

    What is missing is made by a worker. If that is all, the smallest is made at once, but only one in a `request`.
    """
    filters = [Filter(spec=spec) for spec in Filter.expand_spec(SHAPES[shape])]
    there = image.find_existing_renditions(*filters)
    found = {one.spec: there[one] for one in filters if one in there}
    if len(found) < len(filters) and not _note(image, [one.spec for one in filters if one not in there]):
        if not found and len(filters) > 1 and request and not getattr(request, "made_rendition", None):
            smallest = next(one.spec for one in filters if "format-jpeg" in one.spec)
            request.made_rendition = make(image, smallest)
            found = {smallest: request.made_rendition} if request.made_rendition else {}
        if cache.add(f"renditions:{image.pk}:{shape}", True, ASKED_SECONDS) and not image.is_set_aside:
            make_later.enqueue(image.pk, [one.spec for one in filters])
    return found


def find_for_mail(image: CustomImage, width: int) -> CustomRendition | None:
    """A rendition that mail programs take, at once: a mail cannot be completed later. None if the picture cannot be resized.

    JPEG, or PNG for what was one, since that may be see-through or a drawing.
    """
    kind = "png" if image.file.name.lower().endswith((".png", ".gif")) else "jpeg"
    mail = Filter(spec=f"width-{width}|format-{kind}")
    there = image.find_existing_renditions(mail)
    if there or _note(image, [mail.spec]):
        return there.get(mail)
    return make(image, mail.spec)


def _note(image, specs) -> bool:
    """Note what is missing while a page is looked over; False if somebody is shown it."""
    missing = _missing.get()
    if missing is not None and not image.is_set_aside:
        missing.update((image.pk, spec) for spec in specs)
    return missing is not None


def missing_on(page: Page) -> set[tuple[int, str]]:
    """(number of a picture, spec) of each rendition that a page, or a draft, shows and that there is not: as its templates ask."""
    missing: set[tuple[int, str]] = set()
    if not page.shows_pictures:
        return missing
    token = _missing.set(missing)
    try:
        with override(page.locale.language_code):
            for mode in page.rendition_modes:
                page.make_preview_request(preview_mode=mode)
    finally:
        _missing.reset(token)
    return missing


def make(image: CustomImage, spec: str) -> CustomRendition | None:
    """A rendition, made if there is none yet. A picture that cannot be resized is set aside for a while, and the checks show it."""
    if image.is_set_aside:
        return None
    try:
        return image.get_rendition(spec)
    except DatabaseError:
        raise
    except Exception as error:  # whatever Pillow finds in a file, or a storage that is away
        logger.error("The picture %s cannot be resized (%s): %r", image.pk, spec, error)
        image.resize_failed_at = timezone.now()
        CustomImage.objects.filter(pk=image.pk).update(resize_failed_at=image.resize_failed_at)
        return None


def make_all(wanted: set[tuple[int, str]]) -> bool:
    """Make renditions, each by itself, for TURN_SECONDS; whether there is more to do."""
    images = CustomImage.objects.in_bulk({number for number, _spec in wanted})
    waiting = sorted(wanted, reverse=True)

    def step():
        number, spec = waiting.pop()
        if image := images.get(number):
            make(image, spec)
        return bool(waiting)

    return bool(waiting) and run_batches(TURN_SECONDS, step)


# Publishing


def wait_for_pictures(revision: Revision, user=None, **publishing) -> bool:
    """Whether a revision that is to be published now has to wait: it is scheduled then, as editors schedule pages.

    It goes live as soon as its pictures are ready, at the latest after LONGEST_WAIT. Without a worker nothing would be gained.
    """
    page = revision.as_object()
    later = page.go_live_at and page.go_live_at > timezone.now()
    if revision.approved_go_live_at or later or not active_workers().exists() or not missing_on(page):
        return False
    skip = publishing.pop("skip_permission_checks", False)
    action = PublishPageRevisionAction(revision, user, **publishing)
    action.object.go_live_at = timezone.now() + LONGEST_WAIT
    action.execute(skip_permission_checks=skip)
    prepare.enqueue(revision.pk)
    return True


def waiting_text(page: Page) -> str:
    """What an editor is told whose page has to wait."""
    text = _("“%(title)s” is saved. Its pictures are still being resized: it goes live by itself as soon as they are ready, in %(minutes)s minutes at the latest.")  # fmt: skip
    return text % {"title": page.title, "minutes": LONGEST_WAIT.seconds // 60}


def _publish_what_waited(revision_id):
    with transaction.atomic():
        held = Revision.objects.select_for_update().filter(pk=revision_id, approved_go_live_at__isnull=False).first()
        if held is None:
            return
        wanted_at = held.as_object().go_live_at  # the editor's own wish; not the time at which the wait ends
        if wanted_at is None or wanted_at <= timezone.now():
            held.publish(log_action="wagtail.publish.scheduled")


# What workers do


@task()
def prepare(revision_id):
    """Make what is missing for a draft; if it waits to go live, it does."""
    revision = Revision.objects.filter(pk=revision_id).first()
    if revision is None:
        return
    if make_all(missing_on(revision.as_object())):
        prepare.enqueue(revision_id)
    else:
        _publish_what_waited(revision_id)


@task()
def make_later(image_id, specs):
    """Make what somebody who read or previewed a page missed."""
    if make_all({(image_id, spec) for spec in specs}):
        make_later.enqueue(image_id, specs)
    _purge()


@task()
def remake(image_id, after=0):
    """Make what is missing on the published pages that show a picture which was changed; `after` is the last page looked over."""
    image = CustomImage.objects.filter(pk=image_id).first()
    if image is None:
        return
    numbers = [int(one.object_id) for one in ReferenceIndex.get_references_to(image)]
    until = time.monotonic() + TURN_SECONDS
    pages = Page.objects.live().filter(pk__in=numbers, pk__gt=after).order_by("pk")
    for page in pages.specific().iterator():
        is_left = make_all(missing_on(page))
        if is_left or time.monotonic() > until:
            remake.enqueue(image_id, page.pk - 1 if is_left else page.pk)
            break
    _purge()


def _purge():
    """Let readers see the pictures that are ready now."""
    from caching import cdn

    page_cache.purge()
    cdn.purge_everything()
