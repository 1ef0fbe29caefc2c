"""The provider's webhook: Anymail validates the call, incoming.store_report() stores it, a task processes it."""

import logging

from anymail.exceptions import AnymailWebhookValidationFailure
from django.conf import settings
from django.core import checks
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseForbidden
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from jobs.leases import enqueue_once

from newsletter.delivery import providers
from newsletter.feedback import incoming
from newsletter.models import IncomingReport
from newsletter.tasks import process_incoming_reports

logger = logging.getLogger(__name__)


@csrf_exempt
@require_http_methods(["POST", "HEAD"])
def webhook(request: HttpRequest, provider: str) -> HttpResponse:
    """Store a call of the configured provider and answer at once; a task processes it.

    404 for other providers and for unauthenticated webhooks; 400 for forged or malformed calls.
    """
    chosen = providers.current()
    if provider != chosen.name or not chosen.webhook or not chosen.is_protected:
        raise Http404
    if settings.HTTPS and not request.is_secure():
        return HttpResponseForbidden("https only\n", content_type="text/plain; charset=utf-8")
    try:
        view = chosen.view()
    except Exception as error:  # an invalid signing key; the system check below reports it at start-up
        logger.error("Webhook of %s: its key does not do (%s)", provider, type(error).__name__)
        raise Http404 from None
    if request.method == "HEAD":  # some providers check that the URL exists
        return HttpResponse()
    if settings.WEBHOOK_SECRET and "Authorization" not in request.headers:
        # Amazon SNS, for example, sends credentials only after a 401.
        return HttpResponse(status=401, headers={"WWW-Authenticate": 'Basic realm="webhook"'})
    try:
        body = request.body  # before the body is parsed as a form
        view.run_validators(request)
        identity = chosen.identity(request)
    except RequestDataTooBig:
        return HttpResponse("too large\n", content_type="text/plain; charset=utf-8", status=413)
    except AnymailWebhookValidationFailure:
        logger.warning("Webhook of %s: not proven", provider)
        return HttpResponseBadRequest("not proven\n", content_type="text/plain; charset=utf-8")
    except Exception as error:  # malformed call
        logger.warning("Webhook of %s: malformed call (%s)", provider, type(error).__name__)
        return HttpResponseBadRequest("malformed\n", content_type="text/plain; charset=utf-8")
    if incoming.store_report(provider, body, request.headers, identity):
        enqueue_once(process_incoming_reports, IncomingReport.objects.filter(state=IncomingReport.State.WAITING))
    return HttpResponse()


@checks.register()
def check_webhook(**kwargs: object) -> list[checks.CheckMessage]:
    """Check that the configured provider's webhook works with the settings."""
    chosen = providers.current()
    if not chosen.webhook or not chosen.is_protected:
        return []
    try:
        chosen.view()
    except Exception as error:
        words = f"Setting {chosen.signature or 'WEBHOOK_SECRET'}: messages of {chosen.name} cannot be checked with it ({type(error).__name__})."
        return [checks.Error(words, hint="See docs/operators/settings.md.", id="newsletter.E001")]
    return []
