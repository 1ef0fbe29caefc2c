"""Public views of subscribers. GET requests change nothing, because mail scanners follow every link."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps

from core import rate_limits
from core.client_ip import origin, truncated_origin
from core.error_views import forbidden
from core.forms import same_origin
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext, override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe
from jobs.leases import enqueue_once
from operations.alerts import raise_alert
from privacy import registry

from newsletter.subscribers import subscriptions, tokens

from .forms import CONSENT_VERSION, CONSENT_WORDING, NewAddressForm, PreferencesForm, SignUpForm
from .models import ConsentEvent, SignUpRequest, Subscriber
from .tasks import process_sign_ups

Method = ConsentEvent.Method
HOUR = timedelta(hours=1)


def link_view(view: Callable[[HttpRequest, str], HttpResponse]) -> Callable[[HttpRequest, str], HttpResponse]:
    """Decorator of views behind mail links: the signed token authenticates, no cookie is needed, and a LinkProblem
    renders a page."""

    @csrf_exempt
    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    @wraps(view)
    def wrapped(request: HttpRequest, token: str) -> HttpResponse:
        try:
            response = view(request, token)
        except subscriptions.LinkProblem as problem:
            context = {"title": problem.title, "message": problem.message, "may_join": problem.may_join}
            response = render(request, "newsletter/refusal.html", context, status=410)
        response["Referrer-Policy"] = "no-referrer"  # the URL contains a token
        return response

    return wrapped


@csrf_exempt  # the form is on cached pages and sets no cookie; same_origin() replaces the CSRF token
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """Store a sign-up. The response is the same for known and unknown addresses: a worker does the rest."""
    if request.method != "POST":
        return render(request, "newsletter/join.html", {"signup_form": SignUpForm()})
    if not same_origin(request):
        return forbidden(request)
    form = SignUpForm(request.POST)
    if form.is_honeypot_filled:
        return redirect("newsletter_thanks")
    if not form.is_valid():
        return render(request, "newsletter/join.html", {"signup_form": form}, status=422)
    if suggested := form.suggestion:
        context = {"signup_form": form, "suggested": suggested, "typed": form.cleaned_data["email"]}
        return render(request, "newsletter/join.html", context)
    if not _is_within_limits(request):
        return render(request, "newsletter/too_many.html", status=429)
    SignUpRequest.objects.create(
        email=form.cleaned_data["email"],
        name=form.cleaned_data["name"],
        language=get_language(),
        topics=form.cleaned_data["topics"],
        wording=str(CONSENT_WORDING),
        wording_version=CONSENT_VERSION,
        origin=truncated_origin(request),
    )
    enqueue_once(process_sign_ups, SignUpRequest.objects.all())
    return redirect("newsletter_thanks")


def _is_within_limits(request: HttpRequest) -> bool:
    """Return whether this network and all visitors together are within the hourly limits."""
    if not rate_limits.hit(f"join {origin(request)}", (settings.SIGNUP_LIMIT_PER_ORIGIN, HOUR)):
        return False
    if rate_limits.hit("join", (settings.SIGNUP_LIMIT_GLOBAL, HOUR)):
        return True
    raise_alert(
        "sign-ups", f"More than {settings.SIGNUP_LIMIT_GLOBAL} sign-ups within an hour; further ones are refused."
    )
    return False


@require_safe
def thanks(request: HttpRequest) -> HttpResponse:
    """Tell visitors to confirm with the link mailed to them."""
    return render(request, "newsletter/thanks.html")


@link_view
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """GET: show a button. POST: confirm."""
    if request.method != "POST":
        subscriptions.check_confirmation(token)
        return render(request, "newsletter/confirm.html")
    subscriber = subscriptions.confirm(token, truncated_origin(request))
    return render(request, "newsletter/confirmed.html", {"subscriber": subscriber})


@link_view
def leave(request: HttpRequest, token: str) -> HttpResponse:
    """GET: show a button. POST: unsubscribe at once, from the page or with one click in the mail program (RFC 8058)."""
    is_one_click = request.POST.get("List-Unsubscribe") == "One-Click"
    subscriber: Subscriber | None
    try:
        subscriber, found = subscriptions.subscriber_for_link(tokens.MANAGE, token)
    except subscriptions.LinkGone:
        subscriber = None
    if request.method != "POST":
        template = "newsletter/leave.html" if subscriber else "newsletter/gone.html"
        # A link mailed to a former address still ends the subscription, but shows no data.
        may_change = subscriber and subscriber.state == subscriber.State.ACTIVE and found.is_about(subscriber.email)
        return render(request, template, {"token": token, "may_change": may_change})
    if subscriber:
        method, campaign = Method.ONE_CLICK if is_one_click else Method.MAIL, request.GET.get("c", "")
        number = int(campaign) if campaign.isdecimal() and len(campaign) < 10 else None
        subscriptions.leave(subscriber, method, truncated_origin(request), number)
    if is_one_click:
        return HttpResponse(gettext("You have left the newsletter."), content_type="text/plain; charset=utf-8")
    return render(request, "newsletter/left.html" if subscriber else "newsletter/gone.html")


@link_view
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Change name, language, country and topics, or request another address."""
    subscriber = subscriptions.own_subscriber(token)
    if subscriber.state != subscriber.State.ACTIVE:
        is_saving = request.method == "POST"
        raise subscriptions.LinkProblem(*(subscriptions.NOTHING_SAVED if is_saving else subscriptions.OUTDATED))
    wants_address = "email" in request.POST
    form = PreferencesForm(None if wants_address else request.POST or None, instance=subscriber)
    address_form = NewAddressForm(request.POST if wants_address else None, current=subscriber.email)
    done = None
    if request.method == "POST" and wants_address and address_form.is_valid():
        done = _request_address_change(request, subscriber, address_form)
    elif request.method == "POST" and not wants_address and form.is_valid():
        subscriptions.change(form, truncated_origin(request))
        done = "saved"
    language = subscriber.language if done == "saved" else get_language()
    with override(language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE):
        form = PreferencesForm(instance=subscriber) if done else form
        context = {"form": form, "address_form": address_form, "done": done, "token": token, "subscriber": subscriber}
        return render(request, "newsletter/preferences.html", context)


def _request_address_change(request: HttpRequest, subscriber: Subscriber, form: NewAddressForm) -> str:
    if not _is_within_limits(request):
        return "too many"
    subscriptions.request_address_change(subscriber, form.cleaned_data["email"], truncated_origin(request))
    enqueue_once(process_sign_ups, SignUpRequest.objects.all())
    return "asked"


@link_view
def new_address(request: HttpRequest, token: str) -> HttpResponse:
    """GET: show a button. POST: confirm the new address."""
    if request.method != "POST":
        subscriber = subscriptions.check_new_address(token)
        context = {"subscriber": subscriber, "had_ended": subscriptions.has_ended_at(subscriber.new_email)}
        return render(request, "newsletter/new_address.html", context)
    subscriber = subscriptions.confirm_new_address(token, truncated_origin(request))
    return render(request, "newsletter/new_address_taken.html", {"subscriber": subscriber})


@link_view
def data(request: HttpRequest, token: str) -> HttpResponse:
    """Show which data is stored; POST downloads or erases it. Works after unsubscribing, too."""
    subscriber = subscriptions.own_subscriber(token)
    what = request.POST.get("what")
    if what == "erase":
        subscriptions.erase(token)
        return render(request, "newsletter/erased.html")
    if what != "download":
        context = {"token": token, "is_unclear": request.method == "POST"}
        return render(request, "newsletter/data.html", context, status=400 if context["is_unclear"] else 200)
    response = JsonResponse(
        registry.export_data(subscriber.email), json_dumps_params={"indent": 2, "ensure_ascii": False}
    )
    response["Content-Disposition"] = 'attachment; filename="clac.json"'
    return response
