"""Django's SMTP back end, which waits for the answer to a mail as long as RFC 5321 asks for, and says so if there was none."""

import smtplib

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend as DjangoBackend

from newsletter.delivery.errors import Unanswered


class _Patient:
    """What both classes of smtplib do at DATA. Raises Unanswered where the answer to the mail is lost or makes no sense."""

    def data(self, msg):
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


class _Plain(_Patient, smtplib.SMTP):
    pass


class _OverTLS(_Patient, smtplib.SMTP_SSL):
    pass


class EmailBackend(DjangoBackend):
    """The mail back end for EMAIL_PROVIDER=smtp."""

    @property
    def connection_class(self):
        return _OverTLS if self.use_ssl else _Plain
