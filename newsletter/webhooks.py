"""Where a provider reports what became of mails: Anymail reads and checks the call, events.keep() keeps what it says."""

import logging
from importlib import import_module

from anymail.exceptions import AnymailConfigurationError, AnymailWebhookValidationFailure
from core.leases import wake
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpResponse, HttpResponseBadRequest, HttpResponseForbidden
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from . import events
from .models import ProviderEvent
from .tasks import process_provider_events

logger = logging.getLogger(__name__)
# The view that reads each provider's calls; named after the back end where Anymail's own name follows no rule.
VIEWS = {
    "amazon_ses": "AmazonSESTrackingWebhookView",
    "brevo": "BrevoTrackingWebhookView",
    "mailersend": "MailerSendTrackingWebhookView",
    "mailgun": "MailgunTrackingWebhookView",
    "mailjet": "MailjetTrackingWebhookView",
    "mailtrap": "MailtrapTrackingWebhookView",
    "mandrill": "MandrillCombinedWebhookView",
    "postal": "PostalTrackingWebhookView",
    "postmark": "PostmarkTrackingWebhookView",
    "resend": "ResendTrackingWebhookView",
    "sparkpost": "SparkPostTrackingWebhookView",
    "unisender_go": "UnisenderGoTrackingWebhookView",
}
# What proves a call where it is not WEBHOOK_SECRET (basic authentication): the settings of the provider's signature.
SIGNATURES = {
    "mailersend": "MAILERSEND_SIGNING_SECRET",
    "mailgun": "MAILGUN_WEBHOOK_SIGNING_KEY",
    "mailtrap": "MAILTRAP_TRACKING_SECRET",
    "mandrill": "MANDRILL_WEBHOOK_KEY",
    "postal": "POSTAL_WEBHOOK_KEY",
    "resend": "RESEND_SIGNING_SECRET",
    "unisender_go": "UNISENDER_GO_API_KEY",
}


def is_protected(provider):
    """Whether calls of `provider` can be told from forged ones with the settings as they are."""
    return bool(settings.WEBHOOK_SECRET or settings.ANYMAIL.get(SIGNATURES.get(provider)))


@csrf_exempt
@require_http_methods(["POST", "HEAD"])
def webhook(request, provider):
    """Keep what a call of the chosen provider says, and answer at once; a task does the rest.

    404 for other providers, and while nothing protects the address; 400 for calls that are forged or make no sense.
    """
    if provider != settings.EMAIL_PROVIDER or provider not in VIEWS or not is_protected(provider):
        raise Http404
    if settings.HTTPS and not request.is_secure():
        return HttpResponseForbidden("https only\n", content_type="text/plain; charset=utf-8")
    view = getattr(import_module(f"anymail.webhooks.{provider}"), VIEWS[provider])()
    if request.method == "HEAD":  # some providers look first whether anyone is there
        return HttpResponse()
    if settings.WEBHOOK_SECRET and "Authorization" not in request.headers:
        # Amazon's SNS, for one, sends the secret only after having been asked for it.
        return HttpResponse(status=401, headers={"WWW-Authenticate": 'Basic realm="webhook"'})
    try:
        view.run_validators(request)
        found = view.parse_events(request)
    except RequestDataTooBig:
        return HttpResponse("too large\n", content_type="text/plain; charset=utf-8", status=413)
    except AnymailWebhookValidationFailure:
        logger.warning("Webhook of %s: not proven", provider)
        return HttpResponseBadRequest("not proven\n", content_type="text/plain; charset=utf-8")
    except AnymailConfigurationError:
        logger.error("Webhook of %s: Anymail's settings do not suit this kind of message", provider)
        return HttpResponse(status=204)
    except Exception as error:  # whatever a malformed call makes of Anymail's parsers
        logger.warning("Webhook of %s: malformed call (%s)", provider, type(error).__name__)
        return HttpResponseBadRequest("malformed\n", content_type="text/plain; charset=utf-8")
    # Inbound mail and the like has no recipient of ours; only what became of sent mail is kept.
    kept = sum(events.keep(provider, event) for event in found if hasattr(event, "recipient"))
    if kept:
        wake(process_provider_events, ProviderEvent.objects.filter(state=ProviderEvent.State.WAITING), kept)
    return HttpResponse()
