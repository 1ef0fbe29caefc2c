"""Translations as PO files: everything that changed since a date goes out in one archive and comes back in one."""

import io
import lzma
import uuid
import zipfile
import zlib
from functools import partial

import polib
from core.html import without_control_characters
from core.page_permissions import languages_of
from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe
from wagtail import hooks
from wagtail.admin.views.pages.utils import get_valid_next_url_from_request
from wagtail.models import Locale
from wagtail_localize.models import Translation
from wagtail_localize.views.edit_translation import user_can_edit_instance

from translation import views

MOST_BYTES = 20_000_000  # of an archive, and of what is in it
# What zipfile raises over archives that are damaged, encrypted, or packed in a way it does not know.
UNPACKING_ERRORS = (zipfile.BadZipFile, RuntimeError, EOFError, OSError, zlib.error, lzma.LZMAError)


class OutForm(forms.Form):
    """Which language, and since when."""

    language = forms.ModelChoiceField(
        Locale.objects.none(), to_field_name="language_code", label=gettext_lazy("Language")
    )
    since = forms.DateField(
        label=gettext_lazy("Changed since"), widget=forms.DateInput(attrs={"type": "date"}), required=False
    )

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["language"].queryset = languages_of(user)


class InForm(forms.Form):
    """A PO file, or an archive of them. A file in it that cannot be read becomes one of `problems`; the others are taken."""

    file = forms.FileField(
        label=gettext_lazy("PO file or ZIP archive"),
        error_messages={"required": gettext_lazy("Choose a PO file first.")},
    )

    def clean_file(self) -> list:
        """[(name, polib.POFile)] of what can be read. Raises ValidationError if nothing can, or it is too much."""
        file, self.problems = self.cleaned_data["file"], []
        if file.size > MOST_BYTES:
            raise forms.ValidationError(_("The file is too large."))
        found = []
        for name, read in _members(file):
            try:
                found.append((name, _parsed(read())))
            except UNPACKING_ERRORS:
                self.problems.append(
                    _("“%(name)s” cannot be unpacked: it is damaged or protected by a password.") % {"name": name}
                )
            except ValueError:
                self.problems.append(_("“%(name)s” is not a PO file.") % {"name": name})
        if not found:
            raise forms.ValidationError(self.problems)
        return found


def _members(file):
    """[(name, function that reads it)] of an uploaded PO file, or of the PO files in an archive. Raises ValidationError."""
    if not zipfile.is_zipfile(file):
        file.seek(0)
        return [(file.name, file.read)]
    try:
        archive = zipfile.ZipFile(file)
    except UNPACKING_ERRORS:
        raise forms.ValidationError(_("The archive is damaged. Please make it again.")) from None
    members = [member for member in archive.infolist() if member.filename.endswith(".po")]
    if not members or sum(member.file_size for member in members) > MOST_BYTES:
        raise forms.ValidationError(_("The archive holds no PO files, or too much."))
    return [(member.filename, partial(archive.read, member)) for member in members]


def _parsed(content):
    """The polib.POFile in some bytes. Raises ValueError."""
    text = without_control_characters(content.decode())
    if not text.lstrip("\ufeff \t\r\n").startswith(("#", "msgid", "msgctxt")):
        raise ValueError("polib takes any other text for the name of a file")
    try:
        return polib.pofile(text)
    except Exception as error:  # polib raises whatever its parser stumbles over
        raise ValueError("not a PO file") from error


@views.for_translators
@require_safe
def export_archive(request):
    """An archive with a PO file of each text of a language that changed since a date."""
    form = OutForm(request.GET, user=request.user)
    if not form.is_valid():
        messages.error(request, _("Choose one of your languages."))
        return redirect("translation_board")
    language, since = form.cleaned_data["language"], form.cleaned_data["since"]
    rows = Translation.objects.filter(target_locale=language, enabled=True).select_related("source").order_by("pk")
    if since:
        rows = rows.filter(source__last_updated_at__date__gte=since)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in rows:
            if _is_there(row) and user_can_edit_instance(request.user, row.get_target_instance()):
                archive.writestr(f"{slugify(row.source.object_repr)[:60]}-{row.pk}.po", str(row.export_po()))
    name = f"clac-{language.language_code}-{timezone.localdate()}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content.getvalue(), content_type="application/zip", headers=headers)


def _is_there(translation):
    return translation.source.object.get_instance_or_none(translation.target_locale) is not None


@views.for_translators
@require_POST
def import_archive(request):
    """Take PO files in again. Each stands alone: one that cannot be used is named, the others are taken."""
    _take_in_all(request)
    return redirect("translation_board")


@hooks.register("register_admin_urls", order=-1)
def guarded_upload():
    """The upload of one translation's PO file, at wagtail-localize's address and before its own view."""
    view = views.in_own_language(require_POST(upload))
    return [path("localize/translate/<int:translation_id>/pofile/upload/", view)]


def upload(request, translation_id):
    """Take in the PO file of one translation."""
    _take_in_all(request, get_object_or_404(Translation, pk=translation_id))
    return redirect(get_valid_next_url_from_request(request) or "translation_board")


def _take_in_all(request, only=None):
    """Take in what a request uploads, for the Translation `only` or for any, and tell the user what became of it."""
    form = InForm(request.POST, request.FILES)
    if not form.is_valid():
        for error in form.errors.get("file", []):
            messages.error(request, error)
        return
    taken = unknown = 0
    problems = form.problems
    for name, po in form.cleaned_data["file"]:
        try:
            unknown += _take_in(request.user, po, only)
            taken += 1
        except forms.ValidationError as error:
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
    if taken:
        text = ngettext("%(n)s file was taken in.", "%(n)s files were taken in.", taken)
        messages.success(request, text % {"n": taken})


def _take_in(user, po, only):
    """Take in one PO file; return how many of its texts are unknown. Raises ValidationError with the place for its name."""
    row = _translation_of(po)
    if row is None or not _is_there(row):
        raise forms.ValidationError(_("“%(name)s” belongs to no translation of this site."))
    if only and row != only:
        raise forms.ValidationError(_("“%(name)s” belongs to another translation."))
    is_own = views.may_translate(user, row.target_locale)
    if not is_own or not user_can_edit_instance(user, row.get_target_instance()):
        raise forms.ValidationError(_("“%(name)s” is not yours to translate."))
    with transaction.atomic():
        return len(row.import_po(po, user=user, tool_name="PO"))


def _translation_of(po):
    try:
        number = uuid.UUID(po.metadata.get("X-WagtailLocalize-TranslationID", ""))
    except ValueError:
        return None
    return Translation.objects.filter(uuid=number).first()
