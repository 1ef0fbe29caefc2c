"""Previews of a mail for editors: light, dark, as text, as source, for a given subscriber."""

from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from operations.file_outbox import MAIL_POLICY

from newsletter.delivery.personalisation import Mail
from newsletter.editions import rendering

if TYPE_CHECKING:
    from newsletter.models import IssuePage

MODES = [
    ("mail", _("Mail")),
    ("dark", _("Mail at night")),
    ("text", _("Mail as text")),
    ("source", _("Mail's source")),
]
NIGHT = "@media (prefers-color-scheme: dark)"


def show(issue: "IssuePage", mode: str, name: str = "") -> HttpResponse:
    """Return the preview of an IssuePage in one of MODES, for a subscriber with this name; scripts are blocked by
    CSP."""
    try:
        html = _html(rendering.preview(issue, name), mode, issue.locale.language_code)
    except rendering.Unrenderable as error:
        html = _text("", str(error), get_language())
    response = HttpResponse(html)
    response["Content-Security-Policy"] = MAIL_POLICY
    return response


def _html(mail: Mail, mode: str, language: str) -> str:
    if mode in {"text", "source"}:
        return _text(mail.subject, mail.text if mode == "text" else mail.html, language)
    return mail.html.replace(NIGHT, "@media all") if mode == "dark" else mail.html


def _text(title: str, shown: str, language: str) -> str:
    context = {"title": title, "shown": shown, "language": language}
    return render_to_string("newsletter/admin/text_preview.html", context)
