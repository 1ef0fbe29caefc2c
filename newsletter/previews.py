"""How a mail is shown to its editors: by day and by night, as text, as source, as a certain subscriber gets it."""

from core.localmail import MAIL_POLICY
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

MODES = [
    ("mail", _("Mail")),
    ("dark", _("Mail at night")),
    ("text", _("Mail as text")),
    ("source", _("Mail's source")),
]
NIGHT = "@media (prefers-color-scheme: dark)"


def respond(mail, mode, language):
    """A personal.Mail as one of MODES, in a page that can do nothing but show it."""
    if mode in {"text", "source"}:
        shown = mail.text if mode == "text" else mail.html
        html = render_to_string(
            "newsletter/admin/text_preview.html", {"mail": mail, "shown": shown, "language": language}
        )
    else:
        html = mail.html.replace(NIGHT, "@media all") if mode == "dark" else mail.html
    response = HttpResponse(html)
    response["Content-Security-Policy"] = MAIL_POLICY
    return response
