"""Admin views for editors: the handbook, checks of a draft, languages side by side, and reports."""

from typing import Any

from compat.wagtail import referenced_keys
from core.admin_lists import IntroducedList
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.forms import RadioSelect
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from django_filters import ChoiceFilter
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.admin.views.reports import ReportView
from wagtail.images import get_image_model
from wagtail.images.models import AbstractImage
from wagtail.images.views.images import ImagePreviewColumn
from wagtail.models import Page
from wagtail.permission_policies.pages import PagePermissionPolicy

from editorial import content_checks, help
from editorial.models import PageProblem

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


def _problems_of(user: User) -> QuerySet[PageProblem]:
    """Return the problems of the pages that a user may edit."""
    editable = PagePermissionPolicy().instances_user_has_permission_for(user, "change")
    return PageProblem.objects.filter(page__in=editable)


class ProblemFilterSet(WagtailFilterSet):
    """The kinds of problems that there are, with their numbers."""

    kind = ChoiceFilter(label=_("What was found"), choices=(), empty_label=_("all"), widget=RadioSelect)

    class Meta:
        model = PageProblem
        fields = ["kind"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = _problems_of(self.request.user).order_by().values_list("kind")
        counts = dict(rows.annotate(models.Count("pk")))
        self.filters["kind"].extra["choices"] = [
            (kind, f"{label}: {counts[kind]}") for kind, label in content_checks.LABELS.items() if kind in counts
        ]


class ProblemsView(IntroducedList, ReportView):
    """The results of the nightly check for the pages that the user may edit."""

    page_title = _("Problems")
    header_icon = "warning"
    index_url_name = "problems_report"
    index_results_url_name = "problems_report_results"
    introduction = _("All published pages are looked at each night, links to other sites too.")
    if_empty = _("Nothing was found last night.")
    filterset_class = ProblemFilterSet
    columns = [
        TitleColumn("page", label=_("Page"), url_name="wagtailadmin_pages:edit", id_accessor="page_id"),
        Column("page.locale", label=_("Language")),
        Column("problem.text", label=_("What was found"), classname="with-long-words"),
    ]

    def get_base_queryset(self) -> QuerySet[PageProblem]:
        return _problems_of(self.request.user).select_related("page__locale")


class UnusedImagesView(IntroducedList, ReportView):
    """The images that no page uses, oldest first."""

    page_title = _("Unused images")
    header_icon = "image"
    index_url_name = "unused_images_report"
    introduction = _("These images stand on no page. Delete those that nobody needs any more.")
    if_empty = _("Every image is used somewhere.")
    columns = [
        ImagePreviewColumn("preview", label=_("Image"), classname="image-preview"),
        TitleColumn("title", label=_("Name"), url_name="wagtailimages:edit"),
        DateColumn("created_at", label=_("Uploaded")),
    ]

    def get_base_queryset(self) -> QuerySet[AbstractImage]:
        images = get_image_model().objects
        unused = images.exclude(pk__in=referenced_keys(images.model)).order_by("created_at")
        return unused.prefetch_renditions("max-165x165")  # the size that ImagePreviewColumn shows
