"""Carriers: how mails go out. A carrier takes mails from a queue and reports what became of each (see base.Carrier)."""

from django.conf import settings

from newsletter.delivery import providers
from newsletter.delivery.transports import api, merge, smtp


def carrier_class():
    """The carrier for the chosen provider: pipelined SMTP, one call for many where the provider merges, else one by one."""
    if settings.EMAIL_BACKEND == "newsletter.delivery.smtp_backend.EmailBackend":
        return smtp.SMTPTransport
    if providers.current().merges:
        return merge.MergeTransport
    return api.SingleTransport
