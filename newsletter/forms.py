"""Forms of the newsletter: joining, changing preferences, and the editors' test send."""

from core.countries import COUNTRIES
from core.forms import PublicForm
from core.furniture import topic_choices
from core.search import fold
from django import forms
from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from . import addresses
from .models import Subscriber

# What the visitor agrees to. A new text needs a new version: both are kept with every consent.
CONSENT_VERSION = "2026-11"
CONSENT_WORDING = _(
    "I want to receive CLAC's newsletter by e-mail. I can leave at any time with one click, and my address is used for nothing else."
)


class TopicsField(forms.TypedMultipleChoiceField):
    """Topics by their names in the reader's language; cleans to the numbers of the topics in the default language."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, **kwargs):
        super().__init__(coerce=int, required=False, choices=lambda: topic_choices(get_language()), **kwargs)


class AddressField(forms.EmailField):
    """An address, normalised, refused with a sentence that helps."""

    default_validators = []

    def __init__(self, **kwargs):
        widget = forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email", "maxlength": 254})
        super().__init__(widget=widget, **kwargs)

    def clean(self, value):
        value = super().clean(value)
        return addresses.normalise(value) if value else value


class OwnAddressField(AddressField):
    """The address of somebody who joins: of a kind that the site takes."""

    def clean(self, value):
        value = super().clean(value)
        addresses.check_welcome(value)
        return value


class NameField(forms.CharField):
    """A name in plain letters."""

    def __init__(self, **kwargs):
        widget = forms.TextInput(attrs={"autocomplete": "name", "maxlength": addresses.NAME_LETTERS})
        super().__init__(required=False, widget=widget, strip=False, **kwargs)

    def clean(self, value):
        return addresses.clean_name(super().clean(value) or "")


class SignUpForm(PublicForm):
    """Joining the newsletter."""

    email = OwnAddressField(label=_("Your e-mail"))
    name = NameField(label=_("Your name (optional)"))
    topics = TopicsField(label=_("What interests you most? (optional)"))
    consent_wording = CONSENT_WORDING

    def __init__(self, data=None, *args, **kwargs):
        # The answer to “did you mean …?” is the address that was pressed, the suggested or the typed one.
        self.has_answered = bool(data and data.get("use"))
        if self.has_answered:
            data = data.copy()
            data["email"] = data["use"]
        super().__init__(data, *args, **kwargs)

    @property
    def suggestion(self):
        """What the address was probably meant to be, unless the visitor has already been asked; else None."""
        return None if self.has_answered else addresses.suggestion(self.cleaned_data["email"])


class PreferencesForm(forms.ModelForm):
    """Name, language, country and topics of a subscription."""

    name = NameField(label=_("Your name (optional)"))
    country = forms.ChoiceField(label=_("Your country (optional)"), required=False)
    topics = TopicsField(label=_("Topics"), help_text=_("None chosen means all of them."))

    class Meta:
        model = Subscriber
        fields = ["name", "language", "country", "topics"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        names = sorted(COUNTRIES.items(), key=lambda country: fold(str(country[1])))
        own = self.instance.country
        elsewhere = [(own, own)] if own and own not in COUNTRIES else []
        self.fields["country"].choices = [("", "–"), *names, *elsewhere]
        if self.instance.pk:
            self.initial["topics"] = list(self.instance.topics.values_list("pk", flat=True))


class NewAddressForm(forms.Form):
    """A new address for a subscription."""

    email = OwnAddressField(label=_("New address"))


class TestSendForm(forms.Form):
    """An edition sent to one address, to see how it arrives."""

    email = AddressField(label=_("E-mail"))
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)

    def __init__(self, *args, languages=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [pair for pair in settings.LANGUAGES if pair[0] in languages]
