"""Admin views for editors: the handbook, checks of a draft, languages side by side, and reports."""

from compat.wagtail import referenced_keys
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from wagtail.images import get_image_model
from wagtail.models import Page
from wagtail.permission_policies.pages import PagePermissionPolicy

from editorial import content_checks, help
from editorial.models import PageProblem

ROWS_PER_PAGE = 50


# Handbook


@require_safe
def handbook(request: HttpRequest) -> HttpResponse:
    """The handbook in the language of the admin, or in the default language if there is none."""
    return render(request, "editorial/handbook.html", {"text": help.render_handbook(get_language())})


@require_safe
def handbook_picture(request: HttpRequest, language: str, name: str) -> FileResponse:
    """A screenshot of the handbook."""
    file = help.FOLDER / "pictures" / language / f"{name}.webp"
    if not file.is_file():
        raise Http404
    return FileResponse(file.open("rb"), content_type="image/webp")


# Drafts


def _get_editable_draft(request: HttpRequest, page_id: int) -> Page:
    page = get_object_or_404(Page, pk=page_id)
    permissions = page.permissions_for_user(request.user)
    if not (permissions.can_edit() or permissions.can_publish()):
        raise PermissionDenied
    return page.get_latest_revision_as_object()


@require_safe
def page_checks(request: HttpRequest, page_id: int) -> HttpResponse:
    """The problems of the latest draft of a page."""
    page = _get_editable_draft(request, page_id)
    return render(request, "editorial/page_checks.html", {"page": page, "findings": content_checks.check_page(page)})


@require_safe
def side_by_side(request: HttpRequest, page_id: int) -> HttpResponse:
    """A page in all languages side by side, in the width of a phone, a tablet or a computer."""
    page = _get_editable_draft(request, page_id)
    widths = [("375", _("Phone")), ("768", _("Tablet")), ("1200", _("Computer"))]
    width = request.GET.get("width") if request.GET.get("width") in dict(widths) else "375"
    pages = [one for one in page.get_translations(inclusive=True) if one.permissions_for_user(request.user).can_edit()]
    pages.sort(key=lambda one: one.locale_id)
    return render(
        request, "editorial/side_by_side.html", {"page": page, "pages": pages, "widths": widths, "width": width}
    )


# Reports


@require_safe
def problems_report(request: HttpRequest) -> HttpResponse:
    """The results of the nightly check for the pages that the user may edit."""
    editable = PagePermissionPolicy().instances_user_has_permission_for(request.user, "change")
    rows = PageProblem.objects.filter(page__in=editable).select_related("page__locale")
    counts = dict(rows.order_by().values_list("kind").annotate(models.Count("pk")))
    kind = request.GET.get("kind", "")
    kinds = [(name, label, counts[name]) for name, label in content_checks.LABELS.items() if name in counts]
    shown = rows.filter(kind=kind) if kind in counts else rows
    page = Paginator(shown, ROWS_PER_PAGE).get_page(request.GET.get("p"))
    return render(request, "editorial/problems.html", {"page": page, "kinds": kinds, "kind": kind})


@require_safe
def unused_images_report(request: HttpRequest) -> HttpResponse:
    """The images that no page uses, oldest first."""
    image_model = get_image_model()
    rows = image_model.objects.exclude(pk__in=referenced_keys(image_model)).order_by("created_at")
    page = Paginator(rows, ROWS_PER_PAGE).get_page(request.GET.get("p"))
    return render(request, "editorial/unused_images.html", {"page": page})
