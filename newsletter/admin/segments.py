"""Segments in the admin: an editor of conditions with a live count."""

from core.requests import AuthenticatedHttpRequest
from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from wagtail.admin.auth import permission_required
from wagtail.admin.panels import FieldPanel, HelpPanel, ObjectList
from wagtail.admin.viewsets.model import ModelViewSet

from newsletter.models import Segment
from newsletter.subscribers import audiences

EDITOR = ObjectList(
    [
        FieldPanel("name"),
        HelpPanel(template="newsletter/admin/segment_count.html", heading=_("How many people that is")),
        FieldPanel("match"),
        FieldPanel("conditions"),
    ]
)


class SegmentViewSet(ModelViewSet):
    """Segments: list, editor, deletion (not of those that a campaign was sent to)."""

    model = Segment
    name = "segments"
    icon = "group"
    menu_label = _("Segments")
    edit_handler = EDITOR
    list_display = ["name", "match", "created_at"]
    copy_view_enabled = True


@permission_required("newsletter.view_segment")
@require_POST
def count(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Return how many people the form's conditions select now, by the same query that sending uses."""
    unfinished = JsonResponse({"text": str(_("Some conditions are not complete yet."))})
    if "conditions-count" not in request.POST:
        return unfinished
    form_class = EDITOR.bind_to_model(Segment).get_form_class()
    form = form_class(request.POST, instance=Segment(name="-"), for_user=request.user)
    if not form.is_valid() and set(form.errors) - {"name"}:
        return unfinished
    segment = Segment(match=form.cleaned_data["match"], conditions=form.cleaned_data["conditions"])
    number = audiences.size(segment)
    return JsonResponse({"number": number, "text": ngettext("%(n)s person", "%(n)s people", number) % {"n": number}})
