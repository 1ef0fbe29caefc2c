"""Translations as PO files: everything that changed since a date goes out in one archive and comes back in one."""

import io
import zipfile

import polib
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe
from wagtail.models import Locale
from wagtail_localize.models import Translation
from wagtail_localize.views.edit_translation import user_can_edit_instance

from . import roles, translating

MOST_BYTES = 20_000_000  # of an archive, and of what is in it


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
        self.fields["language"].queryset = roles.languages_of(user)


class InForm(forms.Form):
    """A PO file, or an archive of them."""

    file = forms.FileField(label=gettext_lazy("PO file or ZIP archive"))

    def clean_file(self):
        """The PO files by name. Raises ValidationError for anything else, or too much of it."""
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(_("The file is too large."))
        content = file.read()
        if not zipfile.is_zipfile(io.BytesIO(content)):
            return {file.name: _parsed(file.name, content)}
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".po")]
            if not members or sum(member.file_size for member in members) > MOST_BYTES:
                raise forms.ValidationError(_("The archive holds no PO files, or too much."))
            return {member.filename: _parsed(member.filename, archive.read(member)) for member in members}


def _parsed(name, content):
    try:
        text = content.decode()
        if not text.lstrip().startswith(("#", "msgid")):  # polib takes any other text for the name of a file
            raise ValueError
        return polib.pofile(text)
    except (ValueError, OSError):
        raise forms.ValidationError(_("“%(name)s” is not a PO file.") % {"name": name}) from None


@translating.for_translators
@require_safe
def out(request):
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


@translating.for_translators
@require_POST
def back(request):
    """Take PO files in again: all of them or, if one is not for you or not a PO file, none."""
    form = InForm(request.POST, request.FILES)
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(errors))
        return redirect("translation_board")
    files = form.cleaned_data["file"]
    with transaction.atomic():
        for name, po in files.items():
            row = Translation.objects.filter(uuid=po.metadata.get("X-WagtailLocalize-TranslationID")).first()
            if not row or not _is_there(row):
                messages.error(request, _("“%(name)s” belongs to no translation of this site. Nothing was taken in.") % {"name": name})  # fmt: skip
                transaction.set_rollback(True)
                return redirect("translation_board")
            is_own = translating.may_translate(request.user, row.target_locale)
            if not is_own or not user_can_edit_instance(request.user, row.get_target_instance()):
                raise PermissionDenied
            row.import_po(po, user=request.user, tool_name="PO")
    number = len(files)
    messages.success(
        request, ngettext("%(n)s file was taken in.", "%(n)s files were taken in.", number) % {"n": number}
    )
    return redirect("translation_board")
