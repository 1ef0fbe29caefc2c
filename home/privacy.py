"""Personal data of the contact form: export, erasure and retention."""

from typing import Any

from privacy import retention
from privacy.places import CODES, PUBLISHED, log_by_id
from privacy.registry import Place, Texts, declare, register
from redaction.text import AddressPattern

from .models import ContactMessage


class Messages(Place):
    """Messages sent from an address."""

    name, where, forgets = "messages", "`home_contactmessage`", "deleted"
    columns = {"home.ContactMessage": ["email", "language"]}

    def _rows(self, pattern: AddressPattern) -> list[ContactMessage]:
        rows = ContactMessage.objects.filter(email__icontains=pattern.clue).order_by("created_at")
        return [row for row in rows if pattern.mentioned_in(row.email)]

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        return [
            {"name": row.name, "message": row.message, "sent": row.created_at.isoformat(timespec="seconds")}
            for row in self._rows(pattern)
        ]

    def forget(self, pattern: AddressPattern) -> int:
        return ContactMessage.objects.filter(pk__in=[row.pk for row in self._rows(pattern)]).delete()[0]

    def held(self) -> list[str]:
        return [email.lower() for email in ContactMessage.objects.values_list("email", flat=True).distinct()]


register(
    Messages(),
    Texts(
        "messages_of_others",
        "`home_contactmessage`, where somebody else's message names the address",
        {"home.ContactMessage": ["name", "message"]},
    ),
)
log_by_id(ContactMessage)
declare(CODES, {"home.ContactMessage": ["problem"]})  # the name of an exception
declare(
    PUBLISHED,
    {
        "home.HomePage": ["purpose_title", "purpose", "body"],
        "home.ContentPage": ["introduction", "body"],
        "home.ContactPage": ["introduction", "body"],
    },
)


def forget_old_messages() -> int:
    """Delete expired messages (settings.RETENTION_DAYS). Return their number."""
    return ContactMessage.objects.filter(created_at__lt=retention.cutoff("contact_messages")).delete()[0]
