"""The frozen content of a campaign in one language, ready to be personalised."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from core.i18n import language_tag
from django.conf import settings

from newsletter.delivery import outgoing, personalisation
from newsletter.delivery.message_template import EMAIL, MESSAGE_ID, MessageTemplate
from newsletter.feedback import bounce_mailbox
from newsletter.models import Campaign, CampaignContent, message_id

if TYPE_CHECKING:
    from newsletter.delivery.transports.base import OutgoingMessage


class Content:
    """A CampaignContent with its headers: one-click unsubscribe (RFC 8058), List-Id (RFC 2919), a stable Message-ID,
    and Feedback-ID, which names the campaign but no recipient. All in ASCII."""

    def __init__(self, row: CampaignContent, campaign: Campaign) -> None:
        self.row, self.campaign = row, campaign
        self.mail = personalisation.Mail(row.subject, row.preheader, row.html, row.text)
        self.domain, self.sender = outgoing.sender_domain(), outgoing.sender_address()

    def headers_of(self, number: str, leave_url: str) -> dict[str, str]:
        """Return the headers of a mail with this Message-ID and unsubscribe URL: {name: value}."""
        return {
            "Message-ID": number,
            "List-Id": outgoing.list_id(f"newsletter-{self.row.language}"),
            "List-Unsubscribe": f"<{leave_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Content-Language": language_tag(self.row.language),
            "Feedback-ID": f"{self.campaign.pk}:{self.row.language}:newsletter:{self.domain}",
        }

    def headers(self, mail: "OutgoingMessage", values: Mapping[str, str]) -> dict[str, str]:
        """Return the headers of one recipient's mail: {name: value}."""
        return self.headers_of(self.message_id(mail), values[personalisation.LEAVE_URL])

    def message_id(self, mail: "OutgoingMessage") -> str:
        """Return the Message-ID of one recipient's mail."""
        return message_id(self.campaign, mail.number, self.domain)

    def return_path(self, mail: "OutgoingMessage") -> str:
        """Return the VERP envelope sender of one recipient's mail, or an empty string if bounces are reported another
        way."""
        return bounce_mailbox.return_path(mail.number) if settings.BOUNCE_ADDRESS else ""

    def envelope_sender(self, mail: "OutgoingMessage") -> str:
        """Return the VERP envelope sender, or the sender's own address."""
        return self.return_path(mail) or self.sender

    @cached_property
    def _prepared(self) -> dict[bool, MessageTemplate]:
        headers = [
            ("From", outgoing.sender_header()),
            ("To", EMAIL),
            *self.headers_of(MESSAGE_ID, personalisation.LEAVE_URL).items(),
        ]
        return {with_name: MessageTemplate(self.mail, headers, with_name) for with_name in (True, False)}

    def as_bytes(self, mail: "OutgoingMessage") -> bytes:
        """Return one recipient's mail as bytes for SMTP's DATA."""
        values = personalisation.Values(mail.recipient)
        values |= {EMAIL: mail.recipient.email, MESSAGE_ID: self.message_id(mail)}
        return self._prepared[bool(mail.recipient.name)].fill(values)
