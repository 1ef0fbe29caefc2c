"""What a provider's error means, decided in one place."""

import smtplib

from anymail.exceptions import AnymailAPIError, AnymailInvalidAddress, AnymailRecipientsRefused


def is_permanent(error):
    """Whether trying again is useless: the receiver or the provider refused this address or message for good."""
    if isinstance(error, AnymailRecipientsRefused | AnymailInvalidAddress):
        return True
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _words in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    if isinstance(error, AnymailAPIError):
        return error.status_code is not None and 400 <= error.status_code < 500 and error.status_code not in {408, 429}
    return False
