"""Where a provider reports what became of mails: Anymail checks the call, incoming.keep() keeps it as it came, a task reads it."""

import json
import logging
import time
from importlib import import_module

from anymail.exceptions import AnymailWebhookValidationFailure
from core.leases import wake
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpResponse, HttpResponseBadRequest, HttpResponseForbidden
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from . import incoming
from .models import IncomingReport
from .tasks import process_incoming_reports

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
MAILGUN_SECONDS = 15 * 60  # how old a signature of Mailgun's may be: it covers the time and a token, not what is said


def view_of(provider):
    """Anymail's view that checks and reads a provider's calls."""
    return getattr(import_module(f"anymail.webhooks.{provider}"), VIEWS[provider])()


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
    view = view_of(provider)
    if request.method == "HEAD":  # some providers look first whether anyone is there
        return HttpResponse()
    if settings.WEBHOOK_SECRET and "Authorization" not in request.headers:
        # Amazon's SNS, for one, sends the secret only after having been asked for it.
        return HttpResponse(status=401, headers={"WWW-Authenticate": 'Basic realm="webhook"'})
    try:
        body = request.body  # before anybody reads it as a form
        view.run_validators(request)
        identity = _mailgun_token(request) if provider == "mailgun" else None
    except RequestDataTooBig:
        return HttpResponse("too large\n", content_type="text/plain; charset=utf-8", status=413)
    except AnymailWebhookValidationFailure:
        logger.warning("Webhook of %s: not proven", provider)
        return HttpResponseBadRequest("not proven\n", content_type="text/plain; charset=utf-8")
    except Exception as error:  # whatever a malformed call makes of Anymail's checks
        logger.warning("Webhook of %s: malformed call (%s)", provider, type(error).__name__)
        return HttpResponseBadRequest("malformed\n", content_type="text/plain; charset=utf-8")
    if incoming.keep(provider, body, request.headers, identity):
        wake(process_incoming_reports, IncomingReport.objects.filter(state=IncomingReport.State.WAITING))
    return HttpResponse()


def _mailgun_token(request):
    """The token of a call that Mailgun signed, which tells repetitions apart. Raises AnymailWebhookValidationFailure if the
    signature is old: anybody who once saw it could use it again."""
    is_json = request.content_type == "application/json"
    signed = json.loads(request.body)["signature"] if is_json else request.POST
    if abs(time.time() - int(signed["timestamp"])) > MAILGUN_SECONDS:
        raise AnymailWebhookValidationFailure("Mailgun webhook called with an old signature")
    return str(signed["token"]).encode()
