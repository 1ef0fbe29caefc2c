"""Resend through Anymail, with the idempotency key that Resend takes as a header of the call (kept for 24 hours)."""

from anymail.backends.resend import EmailBackend as AnymailBackend
from anymail.backends.resend import ResendPayload

KEY = "idempotencyKey"


class Payload(ResendPayload):
    """Anymail's payload; the key goes into the call's headers rather than the mail's."""

    def set_extra_headers(self, headers):
        """Take the key out of the mail's headers."""
        headers = dict(headers)
        if key := headers.pop(KEY, None):
            self.headers["Idempotency-Key"] = key
        super().set_extra_headers(headers)


class EmailBackend(AnymailBackend):
    """The mail back end for EMAIL_PROVIDER=resend."""

    def build_message_payload(self, message, defaults):
        return Payload(message, defaults, self)
