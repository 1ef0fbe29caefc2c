"""Forms of the newsletter: joining, changing preferences, and the editors' test send."""

from core.forms import PublicForm
from core.furniture import topic_choices
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


class SignUpForm(PublicForm):
    """Joining the newsletter."""

    email = AddressField(label=_("Your e-mail"))
    name = forms.CharField(
        label=_("Your name (optional)"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    topics = TopicsField(label=_("What interests you most? (optional)"))
    consent_wording = CONSENT_WORDING


class PreferencesForm(forms.ModelForm):
    """Language and topics of a subscription."""

    topics = TopicsField(label=_("Topics"), help_text=_("None chosen means all of them."))

    class Meta:
        model = Subscriber
        fields = ["name", "language", "topics"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["topics"] = list(self.instance.topics.values_list("pk", flat=True))


class TestSendForm(forms.Form):
    """An edition sent to one address, to see how it arrives."""

    email = AddressField(label=_("E-mail"))
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)

    def __init__(self, *args, languages=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [pair for pair in settings.LANGUAGES if pair[0] in languages]
