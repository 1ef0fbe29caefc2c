"""E-mail providers: one class for each holds all that is particular about it. To add one, write its class.

What the classes say comes from Anymail's code and the providers' documents. The settings read this module before there are any,
so nothing here looks at them while it is imported.
"""

import json
import time
from importlib import import_module

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from newsletter.delivery import errors
from newsletter.delivery.errors import DeliveryError, ErrorAction

MOST_IN_DOUBT = 100  # mails in one call, as a lost answer leaves all of them in doubt
KEY_MARGIN = 300  # seconds before a key's end in which no worker takes up its mail: a shift and its calls take less
MAILGUN_SECONDS = 15 * 60  # how old a signature of Mailgun's may be
CALL_MARGIN = 10  # seconds before a key's end in which its call is not repeated: it has to arrive in time
PROVIDERS = {}  # {name: Provider}


class Provider:
    """A provider that carries nothing but single mails, tells no repetition, and says nothing about them later."""

    name = ""  # in EMAIL_PROVIDER, in the address of its webhook, and of Anymail's modules
    credentials = ()  # the settings that it cannot do without, by Anymail's names
    options = ()  # further settings that it takes
    always = {}  # settings of Anymail that are not for operators to choose
    caution = ""  # what operators should know before they choose it

    # Sending
    most_per_call = 1  # mails that the provider takes in one call
    placeholder = ""  # how a merged value stands in a mail, with {} for its name; empty where nothing is merged
    merges_headers = (
        False  # whether placeholders are filled in in headers too; else each recipient's own are sent along:
    )
    own_headers = ("Message-ID", "List-Unsubscribe")  # those that it takes for each recipient of a call
    carries_metadata = (
        True  # whether the number of the delivery goes along, and comes back with what it says about the mail
    )
    keeps_message_id = False  # whether a second mail carries the first one's Message-ID, so that receivers tell it
    key_seconds = 0  # how long the provider knows an idempotency key; 0 where it takes none

    # Webhook
    webhook = ""  # the class of Anymail that reads its calls; empty where there is none
    signature = ""  # the setting whose key proves them, beside WEBHOOK_SECRET
    needs_signature = False  # whether WEBHOOK_SECRET alone is not enough for Anymail
    final_failures = ()  # kinds of events besides “bounced” that are a receiver's final refusal

    def __init_subclass__(cls):
        PROVIDERS[cls.name] = cls()

    # Settings

    @property
    def backend(self) -> str:
        """The mail back end, for EMAIL_BACKEND."""
        return f"anymail.backends.{self.name}.EmailBackend"

    @property
    def optional(self) -> list[str]:
        """The settings that may be left out: its options, another address of its API, the key of its webhook."""
        api_url = f"{self.name.upper()}_API_URL" if self.credentials else ""
        return [name for name in [*self.options, api_url, self.signature] if name and name not in self.credentials]

    def anymail(self, read) -> dict:
        """Its settings for Anymail. `read` is called with a setting's name, and with `default` where it may be left out."""
        chosen = {name: read(name, default="") for name in self.optional}
        return (
            self.always
            | {name: read(name) for name in self.credentials}
            | {name: value for name, value in chosen.items() if value}
        )

    def missing_signature(self, given: dict) -> str:
        """The setting without which no message of the provider could be taken although WEBHOOK_SECRET asks for them, or an
        empty string. `given` are Anymail's settings."""
        is_missing = self.needs_signature and given.get("WEBHOOK_SECRET") and not given.get(self.signature)
        return self.signature if is_missing else ""

    # Sending

    @property
    def merges(self) -> bool:
        """Whether one call carries mails to many, each with its own text and headers."""
        return bool(self.placeholder)

    @property
    def per_call(self) -> int:
        """Mails that are sent in one call."""
        return min(self.most_per_call, MOST_IN_DOUBT)

    @property
    def doubt_seconds(self) -> int:
        """For how long any worker may send a mail once more, under its key, that may have gone. The other mails of a call for many
        are known only to the worker that made it; the call could not be repeated as it was."""
        return 0 if self.merges else max(0, self.key_seconds - KEY_MARGIN)

    def add_key(self, connection, message, key: str) -> None:
        """Give the call of a message an idempotency key."""
        raise NotImplementedError

    def verdict(self, error: Exception) -> DeliveryError:
        """What an error of its mail back end means."""
        return errors.of_exception(error)

    def was_taken(self, error: Exception) -> bool:
        """Whether an error says that an earlier call with the same key was taken."""
        return False

    # Webhook

    @property
    def is_protected(self) -> bool:
        """Whether calls of its webhook can be told from forged ones with the settings as they are."""
        given = settings.ANYMAIL
        return bool(given.get(self.signature) or (settings.WEBHOOK_SECRET and not self.needs_signature))

    def view(self):
        """Anymail's view of its webhook. Raises whatever a key makes of it that is none."""
        return getattr(import_module(f"anymail.webhooks.{self.name}"), self.webhook)()

    def identity(self, request) -> bytes | None:
        """What tells a repetition of a proven call apart, or None: the whole call. Raises AnymailWebhookValidationFailure if its
        proof is too old."""
        return None

    own_words = ""  # a pattern of what it says where it has no words of the receiver's

    def amend(self, event: AnymailTrackingEvent) -> None:
        """Put right what Anymail makes of the provider's message (event.esp_event)."""

    def says_soft(self, raw: dict) -> bool:
        """Whether the provider's own message about a bounce says “for now” rather than “for good”. May raise what a message
        without the fields raises."""
        return False


class Local(Provider):
    """No provider: mail is kept on this machine."""

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
    # boto3 would repeat a call by itself, though nobody knows what became of the first one.
    always = {
        "AMAZON_SES_CLIENT_PARAMS": {
            "config": {"retries": {"total_max_attempts": 1}, "connect_timeout": 10, "read_timeout": 30}
        }
    }
    webhook = "AmazonSESTrackingWebhookView"
    own_words = r"Permanent: \w+"

    def says_soft(self, raw):
        return raw["bounce"]["bounceType"] != "Permanent"


class Brevo(Provider):
    """Brevo. Its keys are UUIDs among the mail's headers and are known for 30 minutes; a second call with one is refused."""

    name = "brevo"
    credentials = ("BREVO_API_KEY",)
    key_seconds = 30 * 60
    webhook = "BrevoTrackingWebhookView"

    def add_key(self, connection, message, key):
        message.extra_headers["idempotencyKey"] = key

    def was_taken(self, error):
        return answer_of(error).get("code") == "duplicate_parameter"

    def amend(self, event):
        if event.esp_event.get("event") == "unsubscribed":  # Anymail knows it as “unsubscribe”
            event.event_type = EventType.UNSUBSCRIBED

    def says_soft(self, raw):
        return raw["event"] == "soft_bounce"


class MailerSend(Provider):
    """MailerSend."""

    name = "mailersend"
    credentials = ("MAILERSEND_API_TOKEN",)
    carries_metadata = False
    caution = _("MailerSend takes what one-click leaving needs (headers of our own) only in its larger plans.")
    webhook = "MailerSendTrackingWebhookView"
    signature = "MAILERSEND_SIGNING_SECRET"
    needs_signature = True

    def says_soft(self, raw):
        return raw["data"]["type"] == "soft_bounced"


class Mailgun(Provider):
    """Mailgun."""

    name = "mailgun"
    credentials = ("MAILGUN_API_KEY",)
    options = ("MAILGUN_SENDER_DOMAIN",)
    most_per_call = 1000
    placeholder = "%recipient.{}%"
    merges_headers = True
    webhook = "MailgunTrackingWebhookView"
    signature = "MAILGUN_WEBHOOK_SIGNING_KEY"

    def identity(self, request):
        """The token of the call's signature, which covers the time and this token, not what is said: anybody who once saw it could
        use it again."""
        is_json = request.content_type == "application/json"
        signed = json.loads(request.body)["signature"] if is_json else request.POST
        if abs(time.time() - int(signed["timestamp"])) > MAILGUN_SECONDS:
            raise AnymailWebhookValidationFailure("Mailgun webhook called with an old signature")
        return str(signed["token"]).encode()


class Mailjet(Provider):
    """Mailjet."""

    name = "mailjet"
    credentials = ("MAILJET_API_KEY", "MAILJET_SECRET_KEY")
    most_per_call = 50
    placeholder = "[[var:{}]]"
    webhook = "MailjetTrackingWebhookView"

    def amend(self, event):
        event.description = event.description or event.esp_event.get("error")

    def says_soft(self, raw):
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

    def says_soft(self, raw):
        return raw["event"] == "soft_bounce"


class Postal(Provider):
    """Postal. It answers 200 to what it refuses, and calls a receiver's final refusal a failure."""

    name = "postal"
    credentials = ("POSTAL_API_URL", "POSTAL_API_KEY")
    carries_metadata = False
    webhook = "PostalTrackingWebhookView"
    signature = "POSTAL_WEBHOOK_KEY"
    needs_signature = True
    final_failures = ("failed",)

    def verdict(self, error):
        found, answer = super().verdict(error), answer_of(error)
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

    def amend(self, event):
        """Of a hard bounce, the description is always the same and gives an unknown user for an example."""
        if event.esp_event.get("Type") == "HardBounce" and event.mta_response:
            event.description = None

    def says_soft(self, raw):
        return raw["Type"] == "SoftBounce"


class Resend(Provider):
    """Resend. It knows keys for 24 hours and answers a repetition as it answered the first call."""

    name = "resend"
    credentials = ("RESEND_API_KEY",)
    key_seconds = 24 * 3600
    webhook = "ResendTrackingWebhookView"
    signature = "RESEND_SIGNING_SECRET"
    own_words = r".*\b(sent a|history of producing) hard bounces?\b.*"

    def add_key(self, connection, message, key):
        # Anymail has no place for headers of the call; each connection makes one call at a time.
        connection.session.headers["Idempotency-Key"] = key

    def says_soft(self, raw):
        return raw["data"]["bounce"]["type"] != "Permanent"


class Scaleway(Provider):
    """Scaleway. Anymail reads no webhook of it: bounced mail comes to a mailbox."""

    name = "scaleway"
    credentials = ("SCALEWAY_SECRET_KEY", "SCALEWAY_PROJECT_ID")


class SendGrid(Provider):
    """SendGrid, which Anymail brings along without testing it."""

    name = "sendgrid"
    credentials = ("SENDGRID_API_KEY",)
    caution = _("SendGrid: the library that speaks to it is no longer tested by its makers. Watch the first editions.")
    most_per_call = 1000
    placeholder = (
        "%own.{}%"  # any text may be one; this one stands in no edition, and names have no % in them (merge.py)
    )
    always = {"SENDGRID_MERGE_FIELD_FORMAT": placeholder}
    webhook = "SendGridTrackingWebhookView"
    signature = "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY"

    reasons = {
        "spam reporting address": RejectReason.SPAM,
        "unsubscribed address": RejectReason.UNSUBSCRIBED,
        "bounced address": RejectReason.BOUNCED,
        "invalid": RejectReason.INVALID,
    }

    def amend(self, event):
        """What was dropped has its reason in “reason”; Anymail looks at “type” first, and does not know all reasons."""
        reason = event.esp_event.get("reason")
        if event.event_type == EventType.REJECTED and isinstance(reason, str):
            event.reject_reason = self.reasons.get(reason.strip().lower(), RejectReason.OTHER)
            event.description = reason

    def says_soft(self, raw):
        # A classification that is not about the address; older messages have none.
        other = raw.get("bounce_classification") or "Unclassified"
        return raw.get("type") == "blocked" or other not in {"Invalid Address", "Unclassified"}


class SparkPost(Provider):
    """SparkPost. In one call it would drop each recipient's own List-Unsubscribe in silence: single mails."""

    name = "sparkpost"
    credentials = ("SPARKPOST_API_KEY",)
    webhook = "SparkPostTrackingWebhookView"

    def amend(self, event):
        if event.event_type == EventType.BOUNCED and event.reject_reason == RejectReason.INVALID:
            event.description = "Invalid recipient"  # class 10

    def says_soft(self, raw):
        return next(iter(raw["msys"].values()))["bounce_class"] not in {"10", "30", "90"}


class UnisenderGo(Provider):
    """Unisender Go. It knows keys for a minute."""

    name = "unisender_go"
    credentials = ("UNISENDER_GO_API_KEY", "UNISENDER_GO_API_URL")
    most_per_call = 500
    placeholder = "{{{{{}}}}}"
    own_headers = ("List-Unsubscribe",)
    key_seconds = 60
    webhook = "UnisenderGoTrackingWebhookView"
    signature = "UNISENDER_GO_API_KEY"

    def add_key(self, connection, message, key):
        message.esp_extra = {"idempotence_key": key}


def named(name: str) -> Provider:
    """The provider of a name; one that nothing is known of where none has it, such as the mailbox for bounced mail."""
    return PROVIDERS.get(name) or Provider()


def current() -> Provider:
    """The provider that is chosen (EMAIL_PROVIDER)."""
    return named(settings.EMAIL_PROVIDER)


def answer_of(error: Exception) -> dict:
    """What a provider's API said with an error, as far as it is JSON's object; else nothing."""
    try:
        answer = error.response.json()
    except (AttributeError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}
