"""The contact form."""

from core.forms import PublicForm
from django import forms
from django.utils.translation import gettext_lazy as _

from newsletter.forms import AddressField


class ContactForm(PublicForm):
    """A message to the organisation."""

    name = forms.CharField(label=_("Your name"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = AddressField(label=_("Your e-mail"))
    message = forms.CharField(label=_("Your message"), max_length=5000, widget=forms.Textarea(attrs={"rows": 7}))
