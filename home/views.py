"""Views of the contact form."""

from datetime import timedelta

from core import rate_limits
from core.client_ip import origin
from core.error_views import forbidden
from core.forms import same_origin
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from operations.alerts import raise_alert

from .forms import ContactForm
from .models import ContactMessage
from .tasks import forward_messages

HOUR = timedelta(hours=1)


@csrf_exempt  # the form is on a cached page and sets no cookie; same_origin() replaces the CSRF token
@require_POST
def contact(request: HttpRequest) -> HttpResponse:
    """Store a message and redirect to the thanks page; show the form again if it is invalid."""
    if not same_origin(request):
        return forbidden(request)
    form = ContactForm(request.POST)
    if form.is_honeypot_filled:
        return redirect("contact_thanks")
    if not form.is_valid():
        return render(request, "home/contact_form.html", {"form": form}, status=422)
    if not _is_within_limits(request):
        return render(request, "home/contact_form.html", {"form": form, "is_too_often": True}, status=429)
    fields = {key: form.cleaned_data[key] for key in ("name", "email", "message")}
    ContactMessage.objects.create(language=get_language(), **fields)
    forward_messages.enqueue()
    return redirect("contact_thanks")


def _is_within_limits(request: HttpRequest) -> bool:
    """Return whether this network and all visitors together are within the hourly limits."""
    if not rate_limits.hit(f"contact {origin(request)}", (settings.CONTACT_LIMIT_PER_ORIGIN, HOUR)):
        return False
    if rate_limits.hit("contact", (settings.CONTACT_LIMIT_GLOBAL, HOUR)):
        return True
    text = f"More than {settings.CONTACT_LIMIT_GLOBAL} messages came through the contact form within an hour; further ones are refused."
    raise_alert("contact form", text)
    return False


@require_safe
def contact_thanks(request: HttpRequest) -> HttpResponse:
    """Confirm that the message arrived."""
    return render(request, "home/contact_thanks.html")
