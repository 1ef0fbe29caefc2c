"""Admin views: the translation board, publishing from it, and the exchange of PO files."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from core import renditions
from core.page_permissions import languages_of
from core.requests import AuthenticatedHttpRequest
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from wagtail.admin.admin_url_finder import AdminURLFinder
from wagtail.admin.paginator import WagtailPaginator
from wagtail.admin.views.pages.utils import get_valid_next_url_from_request
from wagtail.models import Locale, Page, TranslatableMixin
from wagtail.permission_policies.pages import PagePermissionPolicy
from wagtail_localize.models import Translation

from translation import changes, comparison, forms, language_change, po_exchange, publishing, schedule, status
from translation.models import KnownOriginal
from translation.permissions import TRANSLATE, own_rows, own_translation, places_to_add, translators_only, visible_pages

ROWS_PER_PAGE = 50


# The board


@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """The translation board: pages (paginated, the newest first), snippets and settings, with their state in each language."""
    languages = status.locales()
    form = forms.FilterForm(request.GET, languages=languages)
    rows = _filtered_rows(request.user, form, languages) if form.is_valid() else _rows(request.user)
    page = WagtailPaginator(rows, ROWS_PER_PAGE).get_page(request.GET.get("p"))
    shown = _visible_languages(languages, form)
    lines = status.table(page, shown)
    snippets = (
        []
        if form.is_filtered
        else [
            (model._meta.verbose_name_plural, status.table(status.originals(model), shown))
            for model in status.snippet_models()
        ]
    )
    describe = _cell_describer(request, [row for row, _cells in lines])
    context = {
        "form": form,
        "languages": shown,
        "page": page,
        "elided_page_range": page.paginator.get_elided_page_range(page.number),
        "rows": [(row, [describe(row, cell) for cell in cells]) for row, cells in lines],
        "snippets": [
            (name, [(row, [describe(row, cell) for cell in cells]) for row, cells in found])
            for name, found in snippets
        ],
        "next": request.get_full_path(),
        "export_form": forms.ExportForm(user=request.user),
        "import_form": forms.ImportForm(),
    }  # fmt: skip
    return render(request, "translation/board.html", context)


def due_for(user: User | AnonymousUser) -> tuple[int, str]:
    """Return the number of pages that a user has to translate, and the query that makes the board show them."""
    languages = status.locales()
    own = _own_languages(user, languages)
    query = {"state": status.DUE, "mine": "on"} | ({"language": own[0].language_code} if len(own) == 1 else {})
    form = forms.FilterForm(query, languages=languages)
    if not own or not form.is_valid():
        return 0, ""
    return _filtered_rows(user, form, languages).count(), urlencode(query)


def _own_languages(user: User | AnonymousUser, languages: Sequence[Locale]) -> list[Locale]:
    """Return the languages but the default one, which is the first of `languages`, into which a user translates pages."""
    return [one for one in languages_of(user) if one != languages[0]] if user.has_perm(TRANSLATE) else []


def _filtered_rows(
    user: User | AnonymousUser, form: forms.FilterForm, languages: Sequence[Locale]
) -> QuerySet[TranslatableMixin]:
    """Return the originals on a user's board that a valid form asks for."""
    rows = form.filter(_rows(user), languages)
    if not form.cleaned_data["mine"]:
        return rows
    chosen = form.cleaned_data["language"]
    own = [one for one in _own_languages(user, languages) if chosen in {"", one.language_code}]
    return own_rows(user, rows, own)


def _rows(user: User | AnonymousUser) -> QuerySet[TranslatableMixin]:
    """Return the originals on a user's board, the one that changed last first."""
    rows = status.originals().filter(pk__in=visible_pages(user).values("pk"))
    return rows.order_by(Coalesce("latest_revision_created_at", "last_published_at").desc(nulls_last=True), "-pk")


def _visible_languages(languages: Sequence[Locale], form: forms.FilterForm) -> list[Locale]:
    """Return the default language, and the chosen one or all others."""
    chosen = form.cleaned_data.get("language") if form.is_valid() else ""
    return [locale for locale in languages if not chosen or locale in languages[:1] or locale.language_code == chosen]


def _cell_describer(
    request: HttpRequest, rows: Sequence[TranslatableMixin]
) -> Callable[[TranslatableMixin, status.TranslationState], dict[str, Any]]:
    """Return a function that describes a cell of the board: its state, and what the user may do about it.

    `rows` are the pages on the board.
    """
    finder = AdminURLFinder(request.user)
    may_add = places_to_add(request.user, rows)
    own = PagePermissionPolicy().instances_user_has_permission_for(request.user, "publish")
    keys = [row.translation_key for row in rows]
    publishable = set(own.filter(translation_key__in=keys).values_list("pk", flat=True))

    def describe(row: TranslatableMixin, cell: status.TranslationState) -> dict[str, Any]:
        is_missing = cell.state == status.MISSING
        url = "" if is_missing else finder.get_edit_url(cell.instance)
        is_complete = cell.state in {status.DRAFT, status.READY} and not cell.left and not cell.is_original
        is_mine = isinstance(cell.instance, Page) and cell.instance.pk in publishable
        return {
            "state": cell.state,
            "label": status.LABELS[cell.state],
            "left": cell.left,
            "locale": cell.locale,
            "schedule": cell.instance.pk
            if cell.instance and cell.is_original and any(cell.dates) and is_mine
            else None,
            "go_live_at": cell.dates[0],
            "expire_at": cell.dates[1],
            "refused_at": cell.refused_at,
            "blocks_changed": cell.blocks_changed and cell.state == status.BEHIND,
            "start": _submit_url(row) if is_missing and may_add(row, cell.locale) else "",
            "url": url,
            "changes": cell.translation if url and cell.state in {status.BEHIND, status.CHANGED} else None,
            "publish": cell.instance.pk if cell.instance and is_complete and is_mine else None,
        }

    return describe


def _submit_url(row: TranslatableMixin) -> str:
    if isinstance(row, Page):
        return reverse("wagtail_localize:submit_page_translation", args=[row.pk])
    return reverse("wagtail_localize:submit_snippet_translation", args=[*row._meta.label_lower.split("."), row.pk])


@require_POST
def publish(request: HttpRequest, page_id: int) -> HttpResponse:
    """Publish a complete translation of a page."""
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
            messages.success(request, renditions.postponed_message(page) if page.scheduled_revision else published)
    return redirect(get_valid_next_url_from_request(request) or "translation_board")


@require_http_methods(["GET", "HEAD", "POST"])
def schedule_translations(request: AuthenticatedHttpRequest, page_id: int) -> HttpResponse:
    """Ask whether the translations of a page go live and expire on its dates, and see to it."""
    page = get_object_or_404(Page, pk=page_id).specific
    if not page.permissions_for_user(request.user).can_publish():
        raise PermissionDenied
    others = schedule.others_to_schedule(request.user, page)
    back = reverse("wagtailadmin_explore", args=[page.get_parent().pk])
    if request.method != "POST":
        go_live_at, expire_at = schedule.dates(page)
        context = {"page": page, "others": others, "back": back, "go_live_at": go_live_at, "expire_at": expire_at}
        return render(request, "translation/schedule.html", context)
    chosen = [other for other in others if str(other.pk) in request.POST.getlist("pages")]
    incomplete, is_dated = schedule.apply(request.user, page, chosen), any(schedule.dates(page))
    for other in incomplete:
        text = _("“%(title)s” is not translated completely yet, so it does not go live by itself.")
        messages.error(request, text % {"title": other.get_admin_display_title()})
    for other in chosen:
        if other not in incomplete:
            text = _("“%(title)s” has these dates now.") if is_dated else _("“%(title)s” has no dates any more.")
            messages.success(request, text % {"title": other.get_admin_display_title()})
    return redirect(back)


@require_http_methods(["GET", "HEAD", "POST"])
def change_language(request: AuthenticatedHttpRequest, page_id: int) -> HttpResponse:
    """Show to which languages a page can move with its descendants, what moves and why not; move it when asked."""
    page = get_object_or_404(Page, pk=page_id, depth__gt=1).specific
    if not page.permissions_for_user(request.user).can_publish():
        raise PermissionDenied
    if request.method == "POST":
        locale = get_object_or_404(Locale, language_code=request.POST.get("language", ""))
        try:
            moved = language_change.change_language(request.user, page, locale)
        except language_change.LanguageChangeError as error:
            messages.error(request, str(error))
            return redirect("translation_change_language", page.pk)
        words = {"title": moved.get_admin_display_title(), "language": locale}
        messages.success(request, _("“%(title)s” is in %(language)s now.") % words)
        return redirect("wagtailadmin_pages:edit", page.pk)
    choices = [_language_choice(request.user, page, locale) for locale in status.locales() if locale != page.locale]
    context = {"page": page, "choices": choices, "pages": language_change.tree(page)}
    return render(request, "translation/change_language.html", context)


def _language_choice(user: User, page: Page, locale: Locale) -> dict[str, Any]:
    """Describe one language to which a page could move: the new parent, or why it cannot."""
    try:
        return {"locale": locale, "parent": language_change.new_parent(user, page, locale)}
    except language_change.LanguageChangeError as error:
        return {"locale": locale, "reason": str(error)}


@require_POST
def hand_over(request: AuthenticatedHttpRequest, translation_id: int) -> HttpResponse:
    """Submit a complete translation of a page to those who publish it."""
    translation = own_translation(request.user, translation_id)
    page = translation.get_target_instance()
    if not isinstance(page, Page) or not page.permissions_for_user(request.user).can_submit_for_moderation():
        raise PermissionDenied
    if left := status.texts_left(translation):
        messages.error(request, _("Not handed over: %(left)s texts still have to be translated.") % {"left": left})
    else:
        try:
            publishing.hand_over(translation, page, request.user)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, _("“%(title)s” is handed over to those who publish it.") % {"title": page})
    return redirect("wagtailadmin_pages:edit", page.pk)


@require_safe
def show_changes(request: HttpRequest, translation_id: int) -> HttpResponse:
    """Show the texts of an original that changed since its translation was last complete, beside the translation."""
    translation = own_translation(request.user, translation_id)
    known = KnownOriginal.objects.filter(translation=translation).first()
    context = {
        "translation": translation,
        "target": translation.get_target_instance(),
        "known": known,
        "values": comparison.changed_values(known) if known else [],
        "texts": comparison.changed_texts(known) if known else [],
        "shown": changes.fingerprint(known) if known else "",
        "edit_url": translation.get_target_instance_edit_url(),
    }
    return render(request, "translation/changes.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def keep_translation(request: HttpRequest, translation_id: int) -> HttpResponse:
    """Ask whether a translation is right as it is, although its original has changed, and remember it."""
    translation = own_translation(request.user, translation_id)
    known = get_object_or_404(KnownOriginal, translation=translation)
    target = translation.get_target_instance()
    shown = request.POST.get("shown", "") if request.method == "POST" else request.GET.get("shown", "")
    if request.method != "POST" and known.needs_decision and shown == changes.fingerprint(known):
        values = comparison.changed_values(known)
        context = {"translation": translation, "target": target, "known": known, "values": values, "shown": shown}
        return render(request, "translation/keep.html", context)
    if request.method == "POST" and changes.keep(translation, shown):
        messages.success(request, _("“%(title)s” stays as it is.") % {"title": target})
        return redirect(translation.get_target_instance_edit_url())
    messages.error(request, _("The original has changed since this page was opened. Look at it again."))
    return redirect("translation_changes", translation.pk)


# PO files


@translators_only
@require_safe
def export_archive(request: HttpRequest) -> HttpResponse:
    """Download a ZIP archive with the PO files of a language, optionally only those changed since a date."""
    form = forms.ExportForm(request.GET, user=request.user)
    if not form.is_valid():
        messages.error(request, _("Choose one of your languages."))
        return redirect("translation_board")
    language = form.cleaned_data["language"]
    content = po_exchange.export(request.user, language, form.cleaned_data["since"])
    name = f"clac-{language.language_code}-{timezone.localdate()}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type="application/zip", headers=headers)


@translators_only
@require_POST
def import_archive(request: HttpRequest) -> HttpResponse:
    """Import PO files. A file that cannot be imported is reported; the others are imported."""
    _import_upload(request)
    return redirect("translation_board")


def import_po_file(request: HttpRequest, translation_id: int) -> HttpResponse:
    """Import the PO file of one translation."""
    _import_upload(request, get_object_or_404(Translation, pk=translation_id))
    return redirect(get_valid_next_url_from_request(request) or "translation_board")


def _import_upload(request: HttpRequest, only: Translation | None = None) -> None:
    """Import the uploaded PO files, for any translation or for the Translation `only`, and report the result as messages."""
    form = forms.ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        for error in form.errors.get("file", []):
            messages.error(request, str(error))
        return
    imported = unknown = 0
    problems = form.problems
    for name, po in form.cleaned_data["file"]:
        try:
            unknown += po_exchange.apply(request.user, po, only)
            imported += 1
        except ValidationError as error:
            problems.append(error.message % {"name": name})
    for problem in problems:
        messages.error(request, problem)
    if unknown:
        text = ngettext(
            "%(n)s text is no longer in its original and was left out.",
            "%(n)s texts are no longer in their originals and were left out.",
            unknown,
        )
        messages.warning(request, text % {"n": unknown})
    if imported:
        text = ngettext("%(n)s file was taken in.", "%(n)s files were taken in.", imported)
        messages.success(request, text % {"n": imported})
