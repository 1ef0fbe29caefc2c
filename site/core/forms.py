"""Forms on cached pages. They set no cookie, so instead of a CSRF token they check where the request comes from."""

import logging
import time
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core import signing
from django.utils.translation import gettext_lazy as _

from core.html import without_control_characters

logger = logging.getLogger(__name__)
STAMP_SALT = "core.forms.stamp"
STAMP_MIN_SECONDS = 2  # nobody fills in a form faster
STAMP_MAX_SECONDS = 7 * 24 * 3600  # longer than any cache keeps a page


def drop_control_characters():
    """Have every text field of every form, Wagtail's editor included, drop the characters that XML refuses.

    They come in unseen, by copy and paste; feeds and mails are XML. No setting of Django's or Wagtail's covers all forms.
    """
    to_python = forms.CharField.to_python

    def cleaned(self, value):
        return to_python(self, without_control_characters(value) if isinstance(value, str) else value)

    forms.CharField.to_python = cleaned


def same_origin(request):
    """Whether a POST comes from this site: `Sec-Fetch-Site` if the browser sends it, else `Origin`, else `Referer`."""
    is_same = _is_same_origin(request)
    if not is_same:
        logger.warning("A form was refused: it came from another site")
    return is_same


def _is_same_origin(request):
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site:
        return fetch_site in {"same-origin", "none"}
    source = request.headers.get("Origin") or request.headers.get("Referer")
    if not source:
        return True  # no browser of the last years sends neither; a program could as well send the right one
    return urlsplit(source).netloc in {request.get_host(), urlsplit(settings.SITE_URL).netloc}


def make_stamp():
    """A signed time stamp for a form that is rendered now."""
    return signing.TimestampSigner(salt=STAMP_SALT).sign("form")


class PublicForm(forms.Form):
    """A form for everyone: with a honeypot (`website`) and a signed time stamp."""

    website = forms.CharField(
        required=False,
        label=_("Leave this field empty"),
        widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}),
    )
    stamp = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["stamp"].initial = make_stamp()

    @property
    def is_trap_sprung(self):
        """Whether a program filled in the field that people do not see."""
        is_sprung = bool(self.data.get("website"))
        if is_sprung:
            logger.warning("A form was filled in by a program (honeypot)")
        return is_sprung

    def clean_stamp(self):
        """Refuse a missing, altered, too new or too old stamp, and put a fresh one into the form shown again."""
        value = self.cleaned_data["stamp"]
        try:
            signing.TimestampSigner(salt=STAMP_SALT).unsign(value, max_age=STAMP_MAX_SECONDS)
            stamped = int(signing.b62_decode(value.split(":")[1]))
        except (signing.BadSignature, IndexError, ValueError):
            stamped = None
        if stamped is None or time.time() - stamped < STAMP_MIN_SECONDS:
            logger.warning("A form was refused: its stamp is missing, altered, too new or too old")
            self.data = self.data.copy()
            self.data["stamp"] = make_stamp()
            raise forms.ValidationError(
                _("We could not be sure that a person sent this. Please press the button again.")
            )
        return value
