"""Django's SMTP back end with RFC 5321's timeout after DATA; a lost reply raises Unanswered."""

import smtplib
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend as DjangoBackend

from newsletter.delivery.errors import Unanswered

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Patient(smtplib.SMTP):
    """Mixin for smtplib's DATA command. Raises Unanswered if the reply is lost or invalid."""

    def data(self, msg: "ReadableBuffer | str") -> tuple[int, bytes]:
        if self.sock:
            self.sock.settimeout(settings.SMTP_REPLY_SECONDS["end"])
        try:
            code, words = super().data(msg)
        except smtplib.SMTPDataError:
            raise
        except OSError as error:
            raise Unanswered(str(error) or type(error).__name__) from error
        finally:
            if self.sock:
                self.sock.settimeout(self.timeout)
        if code != 250 and code // 100 not in {4, 5}:
            raise Unanswered(f"{code} {words.decode(errors='replace')}")
        return code, words


class _Plain(_Patient):
    pass


class _OverTLS(_Patient, smtplib.SMTP_SSL):
    pass


class EmailBackend(DjangoBackend):
    """The mail back end for EMAIL_PROVIDER=smtp."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _OverTLS if self.use_ssl else _Plain
