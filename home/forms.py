"""The contact form."""

from core.forms import PublicForm
from django import forms
from django.utils.translation import gettext_lazy as _


class ContactForm(PublicForm):
    """A message to the organisation."""

    name = forms.CharField(label=_("Your name"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = forms.EmailField(
        label=_("Your e-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    message = forms.CharField(label=_("Your message"), max_length=5000, widget=forms.Textarea(attrs={"rows": 7}))
