"""The translation board: every page down the side, every language across, and a click from there to what is to be done."""

from core import renditions
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Q
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from wagtail.admin.admin_url_finder import AdminURLFinder
from wagtail.admin.ui.components import Component
from wagtail.models import Page

from translation import po_exchange, status, views
from translation.permissions import TRANSLATE

ROWS = 50
LABELS = {
    status.MISSING: gettext_lazy("missing"),
    status.DRAFT: gettext_lazy("draft"),
    status.BEHIND: gettext_lazy("out of date"),
    status.READY: gettext_lazy("translated, to be published"),
    status.PUBLISHED: gettext_lazy("published"),
}


class FilterForm(forms.Form):
    """Which part of the board is shown."""

    section = forms.ModelChoiceField(
        Page.objects.none(), required=False, label=gettext_lazy("Section"), empty_label=gettext_lazy("all")
    )
    language = forms.ChoiceField(required=False, label=gettext_lazy("Language"))
    state = forms.ChoiceField(required=False, label=gettext_lazy("State"))

    def __init__(self, *args, languages, **kwargs):
        super().__init__(*args, **kwargs)
        every = [("", gettext_lazy("all"))]
        self.fields["section"].queryset = status.originals().filter(depth=3)
        self.fields["language"].choices = every + [(locale.language_code, str(locale)) for locale in languages]
        self.fields["state"].choices = every + list(LABELS.items())

    @property
    def is_filtered(self):
        """Whether anything but a language was chosen."""
        return self.is_valid() and bool(self.cleaned_data["section"] or self.cleaned_data["state"])

    def narrow(self, rows, languages):
        """The rows that meet what was chosen."""
        chosen = self.cleaned_data
        if chosen["section"]:
            rows = rows.filter(path__startswith=chosen["section"].path)
        if chosen["state"]:
            meant = [locale for locale in languages if chosen["language"] in {"", locale.language_code}]
            query = Q(pk__in=[])
            for locale in meant:
                query |= Q(pk__in=status.in_state(rows, locale, chosen["state"]).order_by().values("pk"))
            rows = rows.filter(query)
        return rows


@require_safe
def board(request):
    """The board of pages, a few at a time, and of snippets and settings, which are few."""
    languages = status.locales()
    form = FilterForm(request.GET, languages=languages)
    rows = status.originals().filter(pk__in=views.seen_by(request.user).values("pk"))
    rows = form.narrow(rows, languages) if form.is_valid() else rows
    page = Paginator(rows, ROWS).get_page(request.GET.get("p"))
    shown = _shown(languages, form)
    finder = AdminURLFinder(request.user)
    context = {
        "form": form,
        "languages": shown,
        "page": page,
        "rows": [
            (row, row.depth - 2, [_actions(request, finder, row, cell) for cell in cells])
            for row, cells in status.table(page, shown)
        ],
        "snippets": [] if form.is_filtered else [
            (model._meta.verbose_name_plural, [
                (row, [_actions(request, finder, row, cell) for cell in cells])
                for row, cells in status.table(status.originals(model), shown)
            ])
            for model in status.snippet_models()
        ],
        "next": request.get_full_path(),
        "po_out": po_exchange.OutForm(user=request.user),
        "po_back": po_exchange.InForm(),
    }  # fmt: skip
    return render(request, "translation/board.html", context)


def _shown(languages, form):
    """The default language, and the chosen one or all others."""
    chosen = form.cleaned_data.get("language") if form.is_valid() else ""
    return [locale for locale in languages if not chosen or locale in languages[:1] or locale.language_code == chosen]


def _actions(request, finder, row, cell):
    """A cell as it is shown: state, label, address to go to, and number of the page if it can be published at once."""
    may_translate = request.user.has_perm(TRANSLATE)
    url, publish = "", None
    if cell.state == status.MISSING:
        url = _submit_url(row) if may_translate else ""
    else:
        url = finder.get_edit_url(cell.instance)
        is_complete = cell.state in {status.DRAFT, status.READY} and not cell.left
        is_ready = is_complete and not cell.is_original
        if is_ready and isinstance(cell.instance, Page):
            publish = cell.instance.pk
    return {"state": cell.state, "label": LABELS[cell.state], "left": cell.left, "url": url, "publish": publish}


def _submit_url(row):
    if isinstance(row, Page):
        return reverse("wagtail_localize:submit_page_translation", args=[row.pk])
    return reverse("wagtail_localize:submit_snippet_translation", args=[*row._meta.label_lower.split("."), row.pk])


@require_POST
def publish(request, page_id):
    """Publish a translation in which nothing is left to do."""
    page = get_object_or_404(Page, pk=page_id)
    if not page.permissions_for_user(request.user).can_publish():
        raise PermissionDenied
    translation = status.translation_of(page)
    if not translation or status.texts_left(translation):
        messages.error(request, _("“%(title)s” is not translated completely yet.") % {"title": page})
    else:
        try:
            translation.save_target(user=request.user, publish=True)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            published = _("“%(title)s” is published in %(language)s.") % {"title": page, "language": page.locale}
            messages.success(request, renditions.waiting_text(page) if page.scheduled_revision else published)
    target = request.POST.get("next", "")
    is_own = url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure())
    return redirect(target if is_own else "translation_board")


class BoardPanel(Component):
    """On the dashboard: how many pages are in which state in each language."""

    name = "translation_board"
    order = 250
    template_name = "translation/board_panel.html"

    def get_context_data(self, parent_context):
        return {
            "rows": [
                (locale, [(state, LABELS[state], number) for state, number in numbers.items()])
                for locale, numbers in status.summary().items()
            ]
        }
