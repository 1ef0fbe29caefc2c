"""Public forms on cached pages. Without cookies there is no CSRF token; they check the origin of the request instead."""

import logging
import time
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _

logger = logging.getLogger(__name__)
STAMP_SALT = "core.forms.stamp"
STAMP_MIN_SECONDS = 2  # people do not fill in a form faster
STAMP_MAX_SECONDS = 7 * 24 * 3600  # longer than pages are cached


def same_origin(request: HttpRequest) -> bool:
    """Return whether a POST comes from this site, by `Sec-Fetch-Site` if the browser sends it, else `Origin`, else `Referer`."""
    is_same = _is_same_origin(request)
    if not is_same:
        logger.warning("A form was refused: it came from another site")
    return is_same


def _is_same_origin(request: HttpRequest) -> bool:
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site:
        return fetch_site in {"same-origin", "none"}
    source = request.headers.get("Origin") or request.headers.get("Referer")
    if not source:
        return True  # current browsers send at least one; other clients could forge them anyway
    return urlsplit(source).netloc in {request.get_host(), urlsplit(settings.SITE_URL).netloc}


def make_stamp() -> str:
    """Return a signed timestamp of the time at which a form is rendered."""
    return signing.TimestampSigner(salt=STAMP_SALT).sign("form")


class PublicForm(forms.Form):
    """Base class of public forms, with a honeypot field (`website`) and a signed timestamp against bots."""

    website = forms.CharField(
        required=False,
        label=_("Leave this field empty"),
        widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}),
    )
    stamp = forms.CharField(required=False, widget=forms.HiddenInput)
    data: MultiValueDict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["stamp"].initial = make_stamp()

    @property
    def is_honeypot_filled(self) -> bool:
        """Return whether a bot filled in the invisible field."""
        is_filled = bool(self.data.get("website"))
        if is_filled:
            logger.warning("A form was filled in by a program (honeypot)")
        return is_filled

    def clean_stamp(self) -> str:
        """Reject a missing, altered, too recent or too old timestamp; the form shown again has a new one."""
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
