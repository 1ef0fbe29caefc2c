"""Forms of the newsletter: joining, changing preferences, and the editors' test send."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, cast

from core.countries import ANOTHER_COUNTRY, COUNTRIES
from core.forms import PublicForm
from core.navigation import topic_choices
from django import forms
from django.conf import settings
from django.forms.boundfield import BoundField
from django.http import QueryDict
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from search.text import fold

from newsletter.editions import previews
from newsletter.imports import cells, exporters
from newsletter.subscribers import email_addresses

from .models import Digest, IssuePage, IssueTemplate, Segment, Subscriber, SubscriberImport

# What the visitor agrees to. A new text needs a new version: both are kept with every consent.
CONSENT_VERSION = "2026-11"
CONSENT_WORDING = _(
    "I want to receive CLAC's newsletter by e-mail. I can leave at any time with one click, and my address is used for nothing else."
)


class TopicsField(forms.TypedMultipleChoiceField):
    """Topics by their names in the reader's language; cleans to the numbers of the topics in the default language."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(coerce=int, required=False, choices=lambda: topic_choices(get_language()), **kwargs)


class AddressField(forms.EmailField):
    """An address, normalised, refused with a sentence that helps."""

    default_validators = []

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email", "maxlength": 254})
        super().__init__(widget=widget, **kwargs)

    def clean(self, value: str | None) -> str:
        value = super().clean(value)
        return email_addresses.normalise(value) if value else value


class OwnAddressField(AddressField):
    """The address of somebody who joins: of a kind that the site takes."""

    def clean(self, value: str | None) -> str:
        value = super().clean(value)
        email_addresses.check_welcome(value)
        return value


class NameField(forms.CharField):
    """A name in plain letters."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "name", "maxlength": email_addresses.NAME_LETTERS})
        super().__init__(required=False, widget=widget, strip=False, **kwargs)

    def clean(self, value: str | None) -> str:
        return email_addresses.clean_name(super().clean(value) or "")


class SignUpForm(PublicForm):
    """Joining the newsletter."""

    email = OwnAddressField(label=_("Your e-mail"))
    name = NameField(label=_("Your name (optional)"))
    topics = TopicsField(label=_("What interests you most? (optional)"))
    consent_wording = CONSENT_WORDING

    def __init__(self, data: QueryDict | None = None, *args: Any, **kwargs: Any) -> None:
        # The answer to “did you mean …?” is the address that was pressed, the suggested or the typed one.
        self.has_answered = bool(data and data.get("use"))
        if data and self.has_answered:
            data = data.copy()
            data["email"] = str(data["use"])
        super().__init__(data, *args, **kwargs)

    @property
    def suggestion(self) -> str | None:
        """What the address was probably meant to be, unless the visitor has already been asked; else None."""
        return None if self.has_answered else email_addresses.suggestion(self.cleaned_data["email"])


class PreferencesForm(forms.ModelForm):
    """Name, language, country and topics of a subscription."""

    name = NameField(label=_("Your name (optional)"))
    country = forms.ChoiceField(label=_("Your country (optional)"), required=False)
    topics = TopicsField(label=_("Topics"), help_text=_("None chosen means all of them."))

    class Meta:
        model = Subscriber
        fields = ["name", "language", "country", "topics"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = sorted(COUNTRIES.items(), key=lambda country: fold(str(country[1])))
        own = self.instance.country
        imported = [(own, own)] if own and own not in COUNTRIES and own != ANOTHER_COUNTRY[0] else []
        choices = [("", "–"), *names, *imported, ANOTHER_COUNTRY]
        cast(forms.ChoiceField, self.fields["country"]).choices = choices
        if self.instance.pk:
            self.initial["topics"] = list(self.instance.topics.values_list("pk", flat=True))

    def save(self, commit: bool = True) -> Subscriber:
        """Write the fields of this form and no others: the state may have changed since the instance was read."""
        subscriber = super().save(commit=False)
        if commit:
            subscriber.save(update_fields=["name", "language", "country"])
            self.save_m2m()
        return subscriber


class NewAddressForm(forms.Form):
    """A new address for a subscription."""

    email = OwnAddressField(label=_("New address"))

    def __init__(self, *args: Any, current: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current = current

    def clean_email(self) -> str:
        """Refuse the address that the newsletter goes to already."""
        if self.cleaned_data["email"] == self.current:
            raise forms.ValidationError(_("The newsletter already comes to this address."))
        return self.cleaned_data["email"]


class TestSendForm(forms.Form):
    """An edition sent to one address, in some languages, to see how it arrives."""

    email = AddressField(label=_("E-mail"))
    languages = forms.MultipleChoiceField(label=_("Languages"), widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, languages: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["languages"]).choices = [
            pair for pair in settings.LANGUAGES if pair[0] in languages
        ]
        self.fields["languages"].initial = list(languages)


class SiteTimeField(forms.DateTimeField):
    """A moment in the site's time zone, whatever the editor's own; one that a change of clocks leaves out is refused."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(widget=widget, **kwargs)

    def clean(self, value: str | None) -> datetime | None:
        with timezone.override(settings.TIME_ZONE):
            return super().clean(value)

    def prepare_value(self, value: datetime | str | None) -> datetime | str | None:
        with timezone.override(settings.TIME_ZONE):
            return super().prepare_value(value)


class SendForm(forms.Form):
    """To whom an edition goes, and when."""

    segment = forms.ModelChoiceField(
        Segment.objects.all(), required=False, label=_("To whom"), empty_label=_("all active subscribers")
    )
    when = forms.ChoiceField(
        label=_("When"),
        choices=[("now", _("at once")), ("later", _("at a certain time"))],
        initial="now",
        widget=forms.RadioSelect,
    )
    at = SiteTimeField(
        label=_("Date and time"),
        required=False,
        help_text=format_lazy(_("In the site's time zone, {zone}."), zone=settings.TIME_ZONE),
    )
    local_morning = forms.BooleanField(
        label=_("in the morning of each country"),
        required=False,
        help_text=_("From that time on, everybody gets it at 9 in the morning where they live."),
    )

    def clean(self) -> dict[str, Any]:
        """Ask for a time that is still to come."""
        super().clean()
        cleaned = self.cleaned_data
        if cleaned.get("when") == "later" and "at" in cleaned:
            if not cleaned["at"]:
                self.add_error("at", _("Say when it is to be sent."))
            elif cleaned["at"] <= timezone.now():
                self.add_error("at", _("That time is over."))
        return cleaned


class SendAgainForm(SendForm):
    """The same for an edition that was sent before: its title, typed by hand, confirms it."""

    title = forms.CharField(
        label=_("Type the edition's title to confirm"), widget=forms.TextInput({"autocomplete": "off"})
    )

    def __init__(self, *args: Any, issue: IssuePage, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.issue = issue

    def clean_title(self) -> str:
        """Refuse another title; capitals, accents and spaces do not matter."""
        typed, wanted = (fold(title).split() for title in (self.cleaned_data["title"], self.issue.title))
        if typed != wanted:
            raise forms.ValidationError(
                _("That is not the edition's title: %(title)s"), params={"title": self.issue.title}
            )
        return self.cleaned_data["title"]


class PreviewForm(forms.Form):
    """How a mail is looked at."""

    language = forms.ChoiceField(label=_("Language"))
    mode = forms.ChoiceField(label=_("What"), choices=previews.MODES, initial="mail")
    width = forms.ChoiceField(label=_("On"), choices=[("760", _("a computer")), ("375", _("a phone"))], initial="760")
    subscriber = forms.CharField(
        label=_("As it is for"), required=False, widget=forms.EmailInput(attrs={"placeholder": "ana@example.org"})
    )

    def __init__(self, *args: Any, languages: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["language"]).choices = [
            pair for pair in settings.LANGUAGES if pair[0] in languages
        ]

    def clean_subscriber(self) -> Subscriber | None:
        """The Subscriber of that address, or None."""
        email = self.cleaned_data["subscriber"].strip().lower()
        found = Subscriber.objects.filter(email=email).first()
        if email and not found:
            raise forms.ValidationError(_("Nobody with this address is on the list."))
        return found


class SuppressionForm(forms.Form):
    """An address to be erased, looked for among the suppressed ones, or let in again."""

    email = AddressField(label=_("Address"))
    what = forms.ChoiceField(choices=[("look", ""), ("lift", ""), ("erase", "")], error_messages={
        code: _("It is not clear what to do. Please press one of the buttons.") for code in ("required", "invalid_choice")
    })  # fmt: skip
    subscriber = forms.ModelChoiceField(
        Subscriber.objects.all(),
        required=False,
        error_messages={"invalid_choice": _("This person is no longer on the list.")},
    )

    def clean(self) -> dict[str, Any]:
        """Refuse to erase the address that a person had when the page was opened, if it is another one by now."""
        super().clean()
        cleaned = self.cleaned_data
        subscriber = cleaned.get("subscriber")
        if subscriber and cleaned.get("email") != subscriber.email:
            raise forms.ValidationError(
                _("This person's address changed while the page was open. Please look at it again.")
            )
        return cleaned


class ExportForm(forms.Form):
    """Whom an export is to hold."""

    segment = forms.ModelChoiceField(
        Segment.objects.all(), required=False, label=_("Segment"), empty_label=_("all active subscribers")
    )
    agreed = forms.BooleanField(
        label=_(
            "I keep this list safe, use it for nothing but the newsletter, and delete it when it is no longer needed."
        )
    )


class UploadForm(forms.ModelForm):
    """A list of addresses to be imported."""

    class Meta:
        model = SubscriberImport
        fields = ["file", "language", "provenance"]
        widgets = {
            "file": forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx"}),
            "provenance": forms.Textarea(attrs={"rows": 4}),
        }


def field_of_meaning(column: str, value: str) -> str:
    """The name of the field that says what a value of a status column means: a page that is out of date decides nothing else."""
    return f"meaning-{column}-{value.encode().hex()}"


class MeaningRow(TypedDict):
    """A value of a status column: the field that asks for its meaning, how it is shown, and its number of lines."""

    field: BoundField
    value: str | Promise
    lines: int


class MappingForm(forms.Form):
    """What the columns of an import are."""

    WHATS = [
        ("email", _("e-mail")),
        ("name", _("name")),
        ("first_name", _("first name")),
        ("last_name", _("last name")),
        ("language", _("language")),
        ("country", _("country")),
        ("topics", _("topics")),
        ("status", _("state or consent: who gets the newsletter")),
        ("asked_at", _("date of asking")),
        ("confirmed_at", _("date of confirming")),
        ("ip", _("network address at that time")),
    ]

    def __init__(self, *args: Any, job: SubscriberImport, sample: Sequence[Sequence[str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        meant = {column: what for what, column in job.mapping.items() if what != "status"}
        meant |= dict.fromkeys(job.mapping.get("status", []), "status")
        for number, heading in enumerate(job.headings):
            examples = [line[number] for line in sample if number < len(line) and line[number]]
            self.fields[f"column{number}"] = forms.ChoiceField(
                label=heading or f"({number + 1})",
                choices=[("", _("– leave out –")), *self.WHATS],
                required=False,
                initial=meant.get(number, ""),
                help_text=" · ".join(examples[:3])[:120],
            )

        self.job = job
        self.groups: list[tuple[str | Promise, list[MeaningRow]]] = []  # the status columns: heading and rows
        for column, counts in job.values.items():
            if exporters.EMPTY in counts or not column.startswith(exporters.DATES):
                self._ask_meanings(column, counts)
        if job.is_order_unclear or job.date_order:
            self.fields["date_order"] = forms.ChoiceField(
                label=_("Dates such as 03/04/2023"),
                choices=[
                    ("", _("– please decide –")),
                    (cells.DAY_FIRST, _("the day comes first: 3 April")),
                    (cells.MONTH_FIRST, _("the month comes first: 4 March")),
                ],
                required=False,
                initial=job.date_order,
            )

    def _ask_meanings(self, column: str, counts: Mapping[str, int]) -> None:
        """A field for each value of a status column: with its number of lines, and what it will mean. What has to be decided comes first."""
        said = self.job.meanings.get(column, {})
        is_file = column == exporters.FILE
        heading = _("the whole file") if is_file else self.job.headings[int(column.removeprefix(exporters.DATES))]
        group: list[MeaningRow] = []
        for value, number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
            known = self.job.meaning_of(column, value)
            name = field_of_meaning(column, value)
            shown = _("all lines") if is_file else exporters.MANY.get(value, value)
            self.fields[name] = forms.ChoiceField(
                label=_("What “%(value)s” means") % {"value": shown},
                choices=[("", _("– please decide –")), *exporters.Meaning.choices],
                required=False,
                initial=said.get(value, known or ""),
            )
            group.append({"field": self[name], "value": shown, "lines": number})
        group.sort(key=lambda row: bool(row["field"].value()))
        self.groups.append((heading, group))

    @property
    def undecided(self) -> int:
        """How many values are still to be decided."""
        return sum(not row["field"].value() for _heading, rows in self.groups for row in rows)

    @property
    def columns(self) -> list[BoundField]:
        """The fields that say what each column is."""
        return [field for field in self if field.name.startswith("column")]

    @property
    def meanings(self) -> dict[str, dict[str, str]]:
        """{status column: {value: what it means}}, of the values that were shown.

        What the whole file means is asked again if only a status column that is left out now told it.
        """
        found = {
            column: {
                value: self.cleaned_data[name]
                for value in counts
                if (name := field_of_meaning(column, value)) in self.data
            }
            for column, counts in self.job.values.items()
        }
        told, known = (self.job.file_meaning(mapping) for mapping in (self.job.mapping, self.mapping))
        if told and not known and list(found.get("file", {}).values()) == [told]:
            del found["file"]
        return found

    @property
    def mapping(self) -> dict[str, Any]:
        """{what: number of its column; of states: numbers}."""
        states = [int(name.removeprefix("column")) for name, what in self.cleaned_data.items() if what == "status"]
        found: dict[str, Any] = {"status": states} if states else {}
        return found | {
            what: int(name.removeprefix("column"))
            for name, what in self.cleaned_data.items()
            if name.startswith("column") and what and what != "status"
        }

    def clean(self) -> dict[str, Any]:
        """Ask for a column of addresses, and for each meaning once."""
        super().clean()
        cleaned = self.cleaned_data
        chosen = [what for name, what in cleaned.items() if name.startswith("column") and what and what != "status"]
        if "email" not in chosen:
            raise forms.ValidationError(_("Say which column holds the e-mail addresses."))
        if len(chosen) != len(set(chosen)):
            raise forms.ValidationError(_("Two columns were given the same meaning."))
        return cleaned


class PostalAddressForm(forms.Form):
    """The postal address in the footer of every mail."""

    postal_address = forms.CharField(
        label=_("Postal address"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Stands in the footer of every newsletter, as the law asks."),
    )


class IssueTemplateForm(forms.ModelForm):
    """The name of an edition template."""

    class Meta:
        model = IssueTemplate
        fields = ["name"]


class DigestForm(forms.ModelForm):
    """How often the site drafts an edition by itself, and from which template."""

    class Meta:
        model = Digest
        fields = ["frequency", "template"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["frequency"]).choices = [("", _("never")), *Digest.Frequency.choices]
