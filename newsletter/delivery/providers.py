"""E-mail providers: one class per provider. To add a provider, write its class.

The facts come from Anymail's code and the providers' documentation. The settings import this module, so it must not
access settings at import time.
"""

import json
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from anymail.exceptions import AnymailRecipientsRefused, AnymailWebhookValidationFailure
from anymail.message import AnymailStatus
from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from newsletter.delivery import errors
from newsletter.delivery.errors import DeliveryError, ErrorAction

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    from newsletter.delivery.outgoing import Message

MAX_MAILS_PER_CALL = 100  # mails in one call; a lost response leaves all of them uncertain
KEY_MARGIN = (
    300  # seconds before a key expires in which no worker takes over its mail; longer than a worker run and its calls
)
MAILGUN_SECONDS = 15 * 60  # maximum age of a Mailgun signature
UNTOLD = {None, "unknown"}  # what Anymail says of a mail that a response does not mention
CALL_MARGIN = 10  # seconds before a key expires in which its call is not repeated
PROVIDERS: dict[str, "Provider"] = {}  # by name


class Provider:
    """Base class: single mails, no idempotency keys, no webhook."""

    name = ""  # in EMAIL_PROVIDER, in the webhook's URL, and in Anymail's module names
    credentials: tuple[str, ...] = ()  # required settings, by Anymail's names
    options: tuple[str, ...] = ()  # optional settings
    fixed_settings: dict[str, Any] = {}  # fixed Anymail settings
    warning: "StrPromise | str" = ""  # shown to operators on the status page

    # Sending
    max_mails_per_call = 1  # mails that the API accepts in one call
    placeholder = ""  # format of a merge placeholder, {} being its name; empty without merge support
    merges_headers = False  # whether placeholders work in headers; otherwise own_headers are sent per recipient
    own_headers: tuple[str, ...] = ("Message-ID", "List-Unsubscribe")  # headers that can be set per recipient
    carries_metadata = True  # whether metadata (the delivery's id) is sent and returned in webhooks
    keeps_message_id = False  # whether our Message-ID is kept, so that receivers can detect a duplicate
    acceptance_header = ""  # the header of a response that says yes, where its body says nothing
    key_seconds = 0  # seconds that an idempotency key is remembered; 0 without support

    # Webhook
    webhook = ""  # Anymail's webhook view class; empty without a webhook
    signature = ""  # the setting with the webhook's signing key, besides WEBHOOK_SECRET
    needs_signature = False  # whether Anymail requires the signing key in addition to WEBHOOK_SECRET
    final_failures: tuple[str, ...] = ()  # event types besides “bounced” that mean a permanent refusal

    def __init_subclass__(cls) -> None:
        PROVIDERS[cls.name] = cls()

    # Settings

    @property
    def backend(self) -> str:
        """The value of EMAIL_BACKEND."""
        return f"anymail.backends.{self.name}.EmailBackend"

    @property
    def optional(self) -> list[str]:
        """Optional settings: options, the API's URL, the webhook's signing key."""
        api_url = f"{self.name.upper()}_API_URL" if self.credentials else ""
        return [name for name in [*self.options, api_url, self.signature] if name and name not in self.credentials]

    def anymail(self, read: Callable[[str], Any], require: Callable[[str], Any]) -> dict[str, Any]:
        """Return the provider's Anymail settings. `read` returns an optional setting by its name, `require` one that it
        cannot do without."""
        chosen = {name: read(name) for name in self.optional}
        return (
            self.fixed_settings
            | {name: require(name) for name in self.credentials}
            | {name: value for name, value in chosen.items() if value}
        )

    def missing_signature(self, given: Mapping[str, Any]) -> str:
        """Return the name of the signing key that WEBHOOK_SECRET requires but that is missing, or an empty string.
        `given` are Anymail's settings."""
        is_missing = self.needs_signature and given.get("WEBHOOK_SECRET") and not given.get(self.signature)
        return self.signature if is_missing else ""

    # Sending

    @property
    def merges(self) -> bool:
        """Whether one call carries mails to many recipients, each with its own text and headers."""
        return bool(self.placeholder)

    @property
    def per_call(self) -> int:
        """The number of mails sent in one call."""
        return min(self.max_mails_per_call, MAX_MAILS_PER_CALL)

    @property
    def resend_seconds(self) -> int:
        """Seconds in which any worker may repeat an uncertain mail under its key. 0 for batches: only the worker that
        made the call can repeat it unchanged."""
        return 0 if self.merges else max(0, self.key_seconds - KEY_MARGIN)

    def add_key(self, connection: Any, message: "Message", key: str) -> None:
        """Add an idempotency key to the call of a message."""
        raise NotImplementedError

    def classify_error(self, error: Exception) -> DeliveryError:
        """Return the DeliveryError of an exception raised by the mail back end."""
        return errors.of_exception(error)

    def is_acceptance(self, status: AnymailStatus) -> bool:
        """Return whether a response that Anymail takes for success says so. A page of a machine in between does not."""
        if self.acceptance_header:
            return self.acceptance_header in status.esp_response.headers
        return any(own.status not in UNTOLD for own in status.recipients.values())

    def is_duplicate(self, error: Exception) -> bool:
        """Return whether an error says that an earlier call with the same key was accepted."""
        return False

    # Webhook

    @property
    def is_protected(self) -> bool:
        """Whether the current settings can authenticate webhook calls."""
        given = settings.ANYMAIL
        return bool(given.get(self.signature) or (settings.WEBHOOK_SECRET and not self.needs_signature))

    def view(self) -> Any:
        """Return Anymail's webhook view. Raises whatever an invalid key causes."""
        return getattr(import_module(f"anymail.webhooks.{self.name}"), self.webhook)()

    def identity(self, request: HttpRequest) -> bytes | None:
        """Return what identifies repetitions of an authenticated call, or None for the whole call. Raises
        AnymailWebhookValidationFailure if the signature is too old."""
        return None

    generic_descriptions = ""  # pattern of the provider's generic text where it has none of the receiver's

    def normalise_event(self, event: AnymailTrackingEvent) -> None:
        """Correct Anymail's parsing of the provider's message (event.esp_event)."""

    def is_soft_bounce(self, raw: Mapping[str, Any]) -> bool:
        """Return whether the provider calls a bounce temporary. May raise KeyError and the like on messages without
        the fields."""
        return False


class Local(Provider):
    """No provider: mail is stored on this machine."""

    name = "local"
    backend = "operations.file_outbox.EmailBackend"
    keeps_message_id = True


class SMTP(Provider):
    """An SMTP server, with Django's own settings."""

    name = "smtp"
    backend = "newsletter.delivery.smtp_backend.EmailBackend"
    keeps_message_id = True


class AmazonSES(Provider):
    """Amazon SES; boto3 finds the credentials."""

    name = "amazon_ses"
    # boto3 would retry by itself, although the outcome of the first call is unknown.
    fixed_settings = {
        "AMAZON_SES_CLIENT_PARAMS": {
            "config": {"retries": {"total_max_attempts": 1}, "connect_timeout": 10, "read_timeout": 30}
        }
    }
    webhook = "AmazonSESTrackingWebhookView"
    generic_descriptions = r"Permanent: \w+"

    def is_soft_bounce(self, raw: Mapping[str, Any]) -> bool:
        return raw["bounce"]["bounceType"] != "Permanent"


class Brevo(Provider):
    """Brevo. Idempotency keys are UUIDs in a mail header, remembered for 30 minutes; a repeated key is refused."""

    name = "brevo"
    credentials = ("BREVO_API_KEY",)
    key_seconds = 30 * 60
    webhook = "BrevoTrackingWebhookView"

    def add_key(self, connection: Any, message: "Message", key: str) -> None:
        message.extra_headers["idempotencyKey"] = key

    def is_acceptance(self, status: AnymailStatus) -> bool:
        return bool(status.esp_response.content)

    def is_duplicate(self, error: Exception) -> bool:
        return response_json(error).get("code") == "duplicate_parameter"

    def normalise_event(self, event: AnymailTrackingEvent) -> None:
        if event.esp_event.get("event") == "unsubscribed":  # Anymail expects “unsubscribe”
            event.event_type = EventType.UNSUBSCRIBED

    def is_soft_bounce(self, raw: Mapping[str, Any]) -> bool:
        return raw["event"] == "soft_bounce"


class MailerSend(Provider):
    """MailerSend."""

    name = "mailersend"
    credentials = ("MAILERSEND_API_TOKEN",)
    carries_metadata = False
    warning = _("MailerSend takes what one-click leaving needs (headers of our own) only in its larger plans.")
    webhook = "MailerSendTrackingWebhookView"
    acceptance_header = "X-Message-Id"
    signature = "MAILERSEND_SIGNING_SECRET"
    needs_signature = True

    def is_soft_bounce(self, raw: Mapping[str, Any]) -> bool:
        return raw["data"]["type"] == "soft_bounced"


class Mailgun(Provider):
    """Mailgun."""

    name = "mailgun"
    credentials = ("MAILGUN_API_KEY",)
    options = ("MAILGUN_SENDER_DOMAIN",)
    max_mails_per_call = 1000
    placeholder = "%recipient.{}%"
    merges_headers = True
    webhook = "MailgunTrackingWebhookView"
    signature = "MAILGUN_WEBHOOK_SIGNING_KEY"

    def identity(self, request: HttpRequest) -> bytes:
        """The token of the signature. The signature covers the time and this token, not the content: it could be
        replayed."""
        is_json = request.content_type == "application/json"
        signed = json.loads(request.body)["signature"] if is_json else request.POST
        if abs(time.time() - int(signed["timestamp"])) > MAILGUN_SECONDS:
            raise AnymailWebhookValidationFailure("Mailgun webhook called with an old signature")
        return str(signed["token"]).encode()


class Mailjet(Provider):
    """Mailjet."""

    name = "mailjet"
    credentials = ("MAILJET_API_KEY", "MAILJET_SECRET_KEY")
    max_mails_per_call = 50
    placeholder = "[[var:{}]]"
    webhook = "MailjetTrackingWebhookView"

    def normalise_event(self, event: AnymailTrackingEvent) -> None:
        event.description = event.description or event.esp_event.get("error")

    def is_soft_bounce(self, raw: Mapping[str, Any]) -> bool:
        return not raw["hard_bounce"]


class Mailtrap(Provider):
    """Mailtrap."""

    name = "mailtrap"
    credentials = ("MAILTRAP_API_TOKEN",)
    webhook = "MailtrapTrackingWebhookView"
    signature = "MAILTRAP_TRACKING_SECRET"


class Mandrill(Provider):
    """Mandrill (Mailchimp Transactional)."""

    name = "mandrill"
    credentials = ("MANDRILL_API_KEY",)
    options = ("MANDRILL_WEBHOOK_URL",)
    webhook = "MandrillCombinedWebhookView"
    signature = "MANDRILL_WEBHOOK_KEY"
    needs_signature = True

    def classify_error(self, error: Exception) -> DeliveryError:
        found = super().classify_error(error)
        if isinstance(error, AnymailRecipientsRefused) and not error.email_message.anymail_status.recipients:
            return DeliveryError(ErrorAction.UNCLEAR, found.words)  # a list that names nobody is no refusal
        return found

    def is_soft_bounce(self, raw: Mapping[str, Any]) -> bool:
        return raw["event"] == "soft_bounce"


class Postal(Provider):
    """Postal. It responds 200 to refused mail, and reports a receiver's permanent refusal as a failure."""

    name = "postal"
    credentials = ("POSTAL_API_URL", "POSTAL_API_KEY")
    carries_metadata = False
    webhook = "PostalTrackingWebhookView"
    signature = "POSTAL_WEBHOOK_KEY"
    needs_signature = True
    final_failures = ("failed",)

    def classify_error(self, error: Exception) -> DeliveryError:
        found, answer = super().classify_error(error), response_json(error)
        if answer.get("status") not in {"error", "parameter-error"}:
            return found
        code = answer.get("data", {}).get("code", "")
        is_about_all = code in {"AccessDenied", "InvalidServerAPIKey", "ServerSuspended", "UnauthenticatedFromAddress"}
        return DeliveryError(ErrorAction.HALT if is_about_all else ErrorAction.NEVER, found.words)


class Postmark(Provider):
    """Postmark."""

    name = "postmark"
    credentials = ("POSTMARK_SERVER_TOKEN",)
    webhook = "PostmarkTrackingWebhookView"

    def normalise_event(self, event: AnymailTrackingEvent) -> None:
        """Drop the generic description of hard bounces, which always mentions an unknown user."""
        if event.esp_event.get("Type") == "HardBounce" and event.mta_response:
            event.description = None

    def is_soft_bounce(self, raw: Mapping[str, Any]) -> bool:
        return raw["Type"] == "SoftBounce"


class Resend(Provider):
    """Resend. Idempotency keys are remembered for 24 hours; a repetition gets the first response."""

    name = "resend"
    credentials = ("RESEND_API_KEY",)
    key_seconds = 24 * 3600
    webhook = "ResendTrackingWebhookView"
    signature = "RESEND_SIGNING_SECRET"
    generic_descriptions = r".*\b(sent a|history of producing) hard bounces?\b.*"

    def add_key(self, connection: Any, message: "Message", key: str) -> None:
        # Anymail has no option for request headers; each connection makes one call at a time.
        connection.session.headers["Idempotency-Key"] = key

    def is_soft_bounce(self, raw: Mapping[str, Any]) -> bool:
        return raw["data"]["bounce"]["type"] != "Permanent"


class Scaleway(Provider):
    """Scaleway. Anymail has no webhook for it: bounces go to a mailbox."""

    name = "scaleway"
    credentials = ("SCALEWAY_SECRET_KEY", "SCALEWAY_PROJECT_ID")


class SendGrid(Provider):
    """SendGrid, which Anymail supports without testing."""

    name = "sendgrid"
    credentials = ("SENDGRID_API_KEY",)
    warning = _("SendGrid: the library that speaks to it is no longer tested by its makers. Watch the first editions.")
    max_mails_per_call = 1000
    placeholder = (
        "%own.{}%"  # any text may be a placeholder; this one occurs in no edition, and names contain no % (merge.py)
    )
    fixed_settings = {"SENDGRID_MERGE_FIELD_FORMAT": placeholder}
    acceptance_header = "X-Message-Id"
    webhook = "SendGridTrackingWebhookView"
    signature = "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY"

    reasons = {
        "spam reporting address": RejectReason.SPAM,
        "unsubscribed address": RejectReason.UNSUBSCRIBED,
        "bounced address": RejectReason.BOUNCED,
        "invalid": RejectReason.INVALID,
    }

    def normalise_event(self, event: AnymailTrackingEvent) -> None:
        """Read the reason of dropped mail from “reason”; Anymail looks at “type” first and does not know all reasons."""
        reason = event.esp_event.get("reason")
        if event.event_type == EventType.REJECTED and isinstance(reason, str):
            event.reject_reason = self.reasons.get(reason.strip().lower(), RejectReason.OTHER)
            event.description = reason

    def is_soft_bounce(self, raw: Mapping[str, Any]) -> bool:
        # Classifications that do not concern the address; older messages have none.
        other = raw.get("bounce_classification") or "Unclassified"
        return raw.get("type") == "blocked" or other not in {"Invalid Address", "Unclassified"}


class SparkPost(Provider):
    """SparkPost. Batches silently drop per-recipient List-Unsubscribe headers, so only single mails are sent."""

    name = "sparkpost"
    credentials = ("SPARKPOST_API_KEY",)
    webhook = "SparkPostTrackingWebhookView"

    def normalise_event(self, event: AnymailTrackingEvent) -> None:
        if event.event_type == EventType.BOUNCED and event.reject_reason == RejectReason.INVALID:
            event.description = "Invalid recipient"  # class 10

    def is_soft_bounce(self, raw: Mapping[str, Any]) -> bool:
        return next(iter(raw["msys"].values()))["bounce_class"] not in {"10", "30", "90"}


class UnisenderGo(Provider):
    """Unisender Go. Idempotency keys are remembered for a minute."""

    name = "unisender_go"
    credentials = ("UNISENDER_GO_API_KEY", "UNISENDER_GO_API_URL")
    max_mails_per_call = 500
    placeholder = "{{{{{}}}}}"
    own_headers = ("List-Unsubscribe",)
    key_seconds = 60
    webhook = "UnisenderGoTrackingWebhookView"
    signature = "UNISENDER_GO_API_KEY"

    def add_key(self, connection: Any, message: "Message", key: str) -> None:
        message.esp_extra = {"idempotence_key": key}


def by_name(name: str) -> Provider:
    """Return the provider with this name; a plain Provider if there is none, such as for the bounce mailbox."""
    return PROVIDERS.get(name) or Provider()


def current() -> Provider:
    """Return the configured provider (EMAIL_PROVIDER)."""
    return by_name(settings.EMAIL_PROVIDER)


def response_json(error: Exception) -> dict[str, Any]:
    """Return the JSON object of a provider's error response, or an empty dictionary."""
    response: Any = getattr(error, "response", None)
    try:
        answer = response.json()
    except (AttributeError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}
