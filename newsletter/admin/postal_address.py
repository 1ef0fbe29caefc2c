"""The postal address in the footer of every mail, for those who send editions but may not change the other site settings."""

from core.models import SiteSettings
from core.requests import AuthenticatedHttpRequest
from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from wagtail.admin.auth import permission_required
from wagtail.admin.views.pages.utils import get_valid_next_url_from_request

from newsletter.forms import PostalAddressForm


@permission_required("newsletter.add_campaign")
@require_http_methods(["GET", "HEAD", "POST"])
def edit_postal_address(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Show and change the postal address in all languages."""
    next_url = get_valid_next_url_from_request(request)
    form = PostalAddressForm(request.POST or None, initial={"postal_address": SiteSettings.current().postal_address})
    if form.is_valid():
        publish(form.cleaned_data["postal_address"], request.user)
        messages.success(
            request, _("The postal address is saved. It stands in the footer of the site and of every mail.")
        )
        return redirect(next_url or "newsletter_campaigns")
    context = {"title": _("Postal address"), "icon": "mail", "form": form, "button": _("Save"), "next": next_url}
    return render(request, "newsletter/admin/postal_address.html", context)


@transaction.atomic
def publish(address: str, user: User) -> None:
    """Publish the postal address in the site settings of all languages. What others drafted there stays a draft."""
    for row in SiteSettings.objects.select_for_update().filter(live=True):
        draft = row.get_latest_revision_as_object() if row.has_unpublished_changes else None
        row.postal_address = address
        row.save_revision(user=user, log_action=True).publish(user=user, skip_permission_checks=True)
        if draft:
            draft.postal_address = address
            draft.save_revision(user=user)
