"""The subscriber's side. A GET never changes anything, because mail scanners follow every link."""

from functools import wraps

from core.forms import same_origin
from core.views import forbidden
from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext, override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from . import subscriptions, tokens
from .addresses import truncated_origin
from .forms import CONSENT_VERSION, CONSENT_WORDING, PreferencesForm, SignUpForm
from .models import ConsentEvent, SignUpRequest
from .tasks import process_sign_ups

Way = ConsentEvent.Way


def link_view(view):
    """A view behind a link in a mail: the signed token is the proof, no cookie is needed, and a refusal is kind."""

    @csrf_exempt
    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    @wraps(view)
    def wrapped(request, token):
        try:
            response = view(request, token)
        except subscriptions.Refusal as refusal:
            context = {"title": refusal.title, "message": refusal.message}
            response = render(request, "newsletter/refusal.html", context, status=410)
        response["Referrer-Policy"] = "no-referrer"  # the address is a key
        return response

    return wrapped


@csrf_exempt  # the form stands on cached pages and sets no cookie; same_origin() takes the token's place
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request):
    """Take a sign-up. The answer is the same whether or not the address is known: all that differs happens in a worker."""
    if request.method != "POST":
        return render(request, "newsletter/join.html", {"signup_form": SignUpForm()})
    if not same_origin(request):
        return forbidden(request)
    form = SignUpForm(request.POST)
    if form.is_trap_sprung:
        return redirect("newsletter_thanks")
    if not form.is_valid():
        return render(request, "newsletter/join.html", {"signup_form": form}, status=422)
    SignUpRequest.objects.create(
        email=form.cleaned_data["email"],
        name=form.cleaned_data["name"],
        language=get_language(),
        topics=form.cleaned_data["topics"],
        wording=str(CONSENT_WORDING),
        wording_version=CONSENT_VERSION,
        origin=truncated_origin(request),
    )
    process_sign_ups.enqueue()
    return redirect("newsletter_thanks")


@require_safe
def thanks(request):
    """Say that a mail is under way and that one step is left."""
    return render(request, "newsletter/thanks.html")


@link_view
def confirm(request, token):
    """GET: “not yet”, with one large button. POST: confirm."""
    if request.method != "POST":
        subscriptions.check_confirmation(token)
        return render(request, "newsletter/confirm.html")
    subscriber = subscriptions.confirm(token, truncated_origin(request))
    return render(request, "newsletter/confirmed.html", {"subscriber": subscriber})


@link_view
def leave(request, token):
    """GET: ask. POST: leave at once, from the page or, with one click, from the mail program (RFC 8058)."""
    subscriber, _token = subscriptions.subscriber_of(tokens.MANAGE, token)
    if request.method != "POST":
        return render(request, "newsletter/leave.html", {"token": token, "subscriber": subscriber})
    is_one_click = request.POST.get("List-Unsubscribe") == "One-Click"
    subscriptions.leave(subscriber, Way.ONE_CLICK if is_one_click else Way.MAIL, truncated_origin(request))
    if is_one_click:
        return HttpResponse(gettext("You have left the newsletter."), content_type="text/plain; charset=utf-8")
    return render(request, "newsletter/left.html", {"subscriber": subscriber})


@link_view
def preferences(request, token):
    """Change name, language and topics."""
    subscriber, _token = subscriptions.subscriber_of(tokens.MANAGE, token)
    if subscriber.state != subscriber.State.ACTIVE:
        raise subscriptions.Refusal(*subscriptions.OUTDATED)
    form = PreferencesForm(request.POST or None, instance=subscriber)
    saved = request.method == "POST" and form.is_valid()
    if saved:
        subscriptions.change(form, truncated_origin(request))
    language = subscriber.language if saved else get_language()
    if language not in dict(settings.LANGUAGES):
        language = settings.LANGUAGE_CODE
    with override(language):
        form = PreferencesForm(instance=subscriber) if saved else form
        context = {"form": form, "saved": saved, "token": token, "subscriber": subscriber}
        return render(request, "newsletter/preferences.html", context)
