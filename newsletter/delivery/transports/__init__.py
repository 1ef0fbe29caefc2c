"""Transports send mails: they take them from a queue and report a result for each (see base.Transport)."""

from django.conf import settings

from newsletter.delivery import providers
from newsletter.delivery.transports import api, merge, smtp, threads


def transport_class() -> type[smtp.SMTPTransport | threads.ThreadTransport]:
    """Return the transport class for the configured provider: pipelined SMTP, batches where the provider supports
    merge fields, else single mails."""
    if settings.EMAIL_BACKEND == "newsletter.delivery.smtp_backend.EmailBackend":
        return smtp.SMTPTransport
    if providers.current().merges:
        return merge.MergeTransport
    return api.SingleTransport
