"""The editors' side: an edition's sending page and a campaign's progress."""

import csv

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from wagtail.admin.auth import permission_required

from newsletter import campaigns, mailing, sending
from newsletter.audiences import size_by_mail_language
from newsletter.forms import TestSendForm
from newsletter.imports import inert
from newsletter.models import Campaign, Delivery, IssuePage
from newsletter.tasks import send_campaign

may_send = permission_required("newsletter.add_campaign")
may_see = permission_required("newsletter.view_campaign")


@may_send
def issue_send(request, page_id):
    """An edition before it is sent: its languages, its readers, a test, and the button."""
    issue = get_object_or_404(IssuePage, pk=page_id).source_issue()
    pages = campaigns.published_languages(issue)
    recipients = size_by_mail_language(pages)
    form = TestSendForm(
        request.POST or None,
        languages=pages,
        initial={"email": request.user.email, "language": issue.locale.language_code},
    )
    if request.method == "POST" and form.is_valid():
        _send_test(request, pages[form.cleaned_data["language"]], form.cleaned_data["email"])
        return redirect("newsletter_issue_send", issue.pk)
    translations = {
        page.locale.language_code: page for page in issue.get_translations(inclusive=True).select_related("locale")
    }
    context = {
        "issue": issue,
        "form": form,
        "translations": [(code, page, recipients.get(code)) for code, page in translations.items()],
        "recipients": sum(recipients.values()),
        "campaigns": issue.campaigns.all(),
        "can_send": bool(pages) and sum(recipients.values()) > 0,
    }
    return render(request, "newsletter/admin/issue_send.html", context)


def _send_test(request, page, email):
    try:
        sending.send_test(page, email)
    except mailing.Suppressed:
        messages.error(request, _("%(email)s asked never to be mailed again.") % {"email": email})
    except Exception as error:
        messages.error(request, _("The test could not be sent: %(error)s") % {"error": error})
    else:
        messages.success(request, _("A test was sent to %(email)s.") % {"email": email})


@may_send
@require_POST
def campaign_start(request, page_id):
    """Send an edition to everyone. Pressing twice starts it once: a campaign of the last minute is shown instead."""
    issue = get_object_or_404(IssuePage, pk=page_id).source_issue()
    campaign = campaigns.campaign_for(issue, request.user)
    try:
        started = campaigns.start(campaign)
    except ValueError:
        messages.error(request, _("Publish the edition first."))
        return redirect("newsletter_issue_send", issue.pk)
    if started:
        send_campaign.enqueue(campaign.pk)
        messages.success(request, _("The edition is on its way."))
    return redirect("newsletter_campaign", campaign.pk)


@may_see
@require_safe
def campaign_list(request):
    """All campaigns, newest first."""
    page = Paginator(Campaign.objects.select_related("issue", "created_by"), 30).get_page(request.GET.get("p"))
    return render(request, "newsletter/admin/campaign_list.html", {"campaigns": page})


def _progress(campaign):
    counts = campaign.counts()
    total = sum(counts.values())
    done = total - sum(counts[state] for state in Delivery.OPEN)
    return {
        "campaign": campaign,
        "total": total,
        "done": done,
        "percent": 100 * done // total if total else 100,
        "states": [(state, state.label, counts[state]) for state in Delivery.State if counts[state]],
        "languages": campaign.deliveries.values_list("language").annotate(n=Count("pk")).order_by("language"),
    }


@may_see
@require_safe
def campaign(request, campaign_id):
    """A campaign: its progress and what became of the mail to each recipient."""
    found = get_object_or_404(Campaign.objects.select_related("issue", "created_by"), pk=campaign_id)
    deliveries = found.deliveries.select_related("subscriber").order_by("pk")
    state, search = request.GET.get("state", ""), request.GET.get("q", "").strip()
    if state in Delivery.State.values:
        deliveries = deliveries.filter(state=state)
    if search:
        deliveries = deliveries.filter(subscriber__email__icontains=search)
    page = Paginator(deliveries, 50).get_page(request.GET.get("p"))
    context = _progress(found) | {"deliveries": page, "state": state, "q": search, "all_states": Delivery.State.choices}
    return render(request, "newsletter/admin/campaign.html", context)


@may_see
@require_safe
def campaign_progress(request, campaign_id):
    """The progress part of a campaign's page, asked for again and again while it runs."""
    found = get_object_or_404(Campaign.objects.select_related("issue", "created_by"), pk=campaign_id)
    return render(request, "newsletter/admin/_progress.html", _progress(found))


@may_send
@require_POST
def campaign_change(request, campaign_id, action):
    """Pause, resume or cancel."""
    found = get_object_or_404(Campaign, pk=campaign_id)
    if campaigns.change_state(found, action):
        if action == "resume":
            send_campaign.enqueue(found.pk)
        messages.success(
            request, _("Done: %(state)s.") % {"state": Campaign.objects.get(pk=found.pk).get_state_display()}
        )
    else:
        messages.error(
            request, _("That is not possible now: the campaign is %(state)s.") % {"state": found.get_state_display()}
        )
    return redirect("newsletter_campaign", found.pk)


@may_see
@require_safe
def campaign_csv(request, campaign_id):
    """What became of each mail, as CSV that a spreadsheet opens without running anything."""
    found = get_object_or_404(Campaign, pk=campaign_id)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slugify(found.issue.title)}-{found.pk}.csv"'
    response.write("\ufeff")  # spreadsheets read UTF-8 only with its mark
    writer = csv.writer(response)
    writer.writerow([_("E-mail"), _("Language"), _("State"), _("Sent"), _("Reason")])
    for delivery in found.deliveries.select_related("subscriber").order_by("pk").iterator(2000):
        email = delivery.subscriber.email if delivery.subscriber else ""
        sent = delivery.sent_at.isoformat(timespec="seconds") if delivery.sent_at else ""
        writer.writerow(
            [inert(x) for x in (email, delivery.language, delivery.get_state_display(), sent, delivery.error)]
        )
    return response
