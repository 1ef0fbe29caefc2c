"""What each provider can do, in one place (shared knowledge from Anymail's code and the providers' documents).

An unclear answer to a call leaves all of its mails unclear, so calls are small where nothing tells repetitions apart.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Capabilities:
    """What sending depends on.

    per_call: mails in one call. placeholder: how a merged value is written in the provider's own syntax, with `{}` for its
    name; empty where nothing is merged. header_placeholders: whether that goes for headers too. own_headers: whether each recipient's own List-Unsubscribe goes out. repeatable: how a
    second try is told from a first: "message-id" (ours is kept), "key" (the provider takes an idempotency key), or "".
    """

    per_call: int = 1
    placeholder: str = ""
    header_placeholders: bool = False
    own_headers: bool = True
    repeatable: str = ""
    key_seconds: int = 0  # how long the provider remembers an idempotency key

    @property
    def merges(self):
        """Whether one call carries mails to many, each with its own text and headers."""
        return bool(self.placeholder)


UNKNOWN = Capabilities()
TABLE = {
    "local": Capabilities(repeatable="message-id"),
    "smtp": Capabilities(repeatable="message-id"),
    "amazon_ses": Capabilities(),
    "brevo": Capabilities(repeatable="key", key_seconds=1800),
    "mailersend": Capabilities(own_headers=False),
    "mailgun": Capabilities(
        per_call=1000, placeholder="%recipient.{}%", header_placeholders=True, repeatable="message-id"
    ),
    "mailjet": Capabilities(per_call=50, placeholder="[[var:{}]]"),
    "mailtrap": Capabilities(),
    "mandrill": Capabilities(),
    "postal": Capabilities(),
    "postmark": Capabilities(),
    "resend": Capabilities(repeatable="key", key_seconds=86400),
    "scaleway": Capabilities(),
    "sparkpost": Capabilities(own_headers=False),
    "unisender_go": Capabilities(per_call=500, placeholder="{{{{{}}}}}", repeatable="key", key_seconds=60),
}


def of(provider):
    """The Capabilities of a provider by its name in EMAIL_PROVIDER."""
    return TABLE.get(provider, UNKNOWN)
