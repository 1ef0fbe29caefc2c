"""Forms of the translation board and of wagtail-localize's submission."""

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

import polib
from core.page_permissions import languages_of, languages_of_site
from django import forms
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from search.text import fold, words
from wagtail.models import Locale, Page, TranslatableMixin
from wagtail_localize.views import submit_translations

from translation import po_exchange, status


class FilterForm(forms.Form):
    """Filters the translation board by words of a title in any language, section, language and state."""

    q = forms.CharField(required=False, label=gettext_lazy("Title"), widget=forms.TextInput(attrs={"type": "search"}))
    section = forms.ModelChoiceField(
        Page.objects.none(), required=False, label=gettext_lazy("Section"), empty_label=gettext_lazy("all")
    )
    language = forms.ChoiceField(required=False, label=gettext_lazy("Language"))
    state = forms.ChoiceField(required=False, label=gettext_lazy("State"))
    mine = forms.BooleanField(required=False, widget=forms.HiddenInput)  # what the user may translate

    def __init__(self, *args: Any, languages: Iterable[Locale], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        all_choices: list[tuple[str, str | Promise]] = [("", gettext_lazy("all"))]
        cast(forms.ModelChoiceField, self.fields["section"]).queryset = status.originals().filter(depth=3)
        cast(forms.ChoiceField, self.fields["language"]).choices = all_choices + [
            (locale.language_code, str(locale)) for locale in languages
        ]
        cast(forms.ChoiceField, self.fields["state"]).choices = [
            *all_choices,
            *status.LABELS.items(),
            (status.DUE, gettext_lazy("to be translated")),
        ]

    @property
    def is_filtered(self) -> bool:
        """Return whether words, a section or a state are chosen."""
        return self.is_valid() and any(self.cleaned_data[name] for name in ("q", "section", "state"))

    def filter(self, rows: QuerySet[TranslatableMixin], languages: Iterable[Locale]) -> QuerySet[TranslatableMixin]:
        """Return the `status.originals()` in `rows` that match. A state matches in the chosen language or in any of `languages`."""
        data = self.cleaned_data
        if data["q"]:
            rows = rows.filter(translation_key__in=_keys_of_titles(data["q"]))
        if data["section"]:
            rows = rows.filter(path__startswith=data["section"].path)
        if data["state"]:
            selected = [locale for locale in languages if data["language"] in {"", locale.language_code}]
            query = Q(pk__in=[])
            for locale in selected:
                query |= Q(pk__in=status.in_state(rows, locale, data["state"]).order_by().values("pk"))
            rows = rows.filter(query)
        return rows


def _keys_of_titles(query: str) -> list[UUID]:
    """Return the translation keys of the pages whose title holds all words of a query, whatever their accents."""
    titles = Page.objects.values_list("translation_key", "draft_title")
    wanted = words(query)
    return [key for key, title in titles if all(word in fold(title) for word in wanted)]


class ExportForm(forms.Form):
    """Chooses the language of an export, and the date from which texts have to be changed."""

    language = forms.ModelChoiceField(
        Locale.objects.none(), to_field_name="language_code", label=gettext_lazy("Language")
    )
    since = forms.DateField(
        label=gettext_lazy("Changed since"), widget=forms.DateInput(attrs={"type": "date"}), required=False
    )

    def __init__(self, *args: Any, user: User | AnonymousUser, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ModelChoiceField, self.fields["language"]).queryset = languages_of(user)


class ImportForm(forms.Form):
    """Uploads a PO file or a ZIP archive of them. Unreadable files in an archive are listed in `problems`; the others are imported."""

    file = forms.FileField(
        label=gettext_lazy("PO file or ZIP archive"),
        error_messages={"required": gettext_lazy("Choose a PO file first.")},
    )

    def clean_file(self) -> list[tuple[str, polib.POFile]]:
        """Return the readable files with their names. Raises ValidationError if there are none or the upload is too large."""
        file = self.cleaned_data["file"]
        self.problems: list[str] = []
        if file.size > po_exchange.MAX_BYTES:
            raise forms.ValidationError(_("The file is too large."))
        found = []
        for name, read in po_exchange.open_members(file):
            try:
                found.append((name, po_exchange.parse(read())))
            except po_exchange.UNPACKING_ERRORS:
                self.problems.append(
                    _("“%(name)s” cannot be unpacked: it is damaged or protected by a password.") % {"name": name}
                )
            except ValueError:
                self.problems.append(_("“%(name)s” is not a PO file.") % {"name": name})
        if not found:
            raise forms.ValidationError(self.problems)
        return found


def missing_parents(page: Page, locale: Locale) -> list[Page]:
    """Return the ancestors of `page` without a translation into `locale`, from the top down."""
    return [
        parent
        for parent in page.get_ancestors().filter(depth__gt=1).specific()
        if not parent.has_translation(locale) and parent.locale_id != locale.pk
    ]


class SubmitForm(submit_translations.SubmitTranslationForm):
    """Offers the languages that the user may edit, and to translate missing parent pages as well."""

    include_parents = forms.BooleanField(required=False, initial=True, label=gettext_lazy("Translate these pages too"))
    field_order = ["select_all", "locales", "include_parents", "include_subtree"]

    def __init__(self, instance: TranslatableMixin, *args: Any, user: User | AnonymousUser, **kwargs: Any) -> None:
        super().__init__(instance, *args, **kwargs)
        self.instance = instance
        own = languages_of(user) if isinstance(instance, Page) else languages_of_site(user)
        locales = self.fields["locales"].queryset = self.fields["locales"].queryset.filter(pk__in=own)
        self.missing = (
            {locale: missing_parents(instance, locale) for locale in locales} if isinstance(instance, Page) else {}
        )
        lines = [
            f"{locale}: {', '.join(parent.get_admin_display_title() for parent in parents)}"
            for locale, parents in self.missing.items()
            if parents
        ]
        if lines:
            about = _("The page stands below pages that do not exist yet in")
            self.fields["include_parents"].help_text = f"{about} {'; '.join(lines)}."
        else:
            del self.fields["include_parents"]

    def clean(self) -> dict[str, Any]:
        """Require the parent page to be translated first."""
        locales = self.cleaned_data.get("locales") or []
        if not self.cleaned_data.get("include_parents") and any(self.missing.get(locale) for locale in locales):
            self.add_error("include_parents", _("Without the pages above it, the page has no place. Tick this box."))
        return self.cleaned_data
