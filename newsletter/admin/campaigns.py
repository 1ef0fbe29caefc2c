"""Admin views of sending: an edition's checks and previews, its campaign's progress, and the report."""

import csv
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from core.admin_lists import IntroducedList, NameColumn
from core.i18n import in_language, site_time
from core.requests import AuthenticatedHttpRequest
from core.signal_handlers import purge_pages
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.functional import Promise, cached_property
from django.utils.text import slugify
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe
from editorial.content_checks import any_blocking
from wagtail.admin.auth import permission_required
from wagtail.admin.ui.components import Component
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.admin.views.generic import IndexView
from wagtail.admin.widgets import Button
from wagtail.coreutils import get_content_languages
from wagtail.permission_policies import ModelPermissionPolicy

from newsletter.campaigns import lifecycle, reports
from newsletter.delivery import outgoing, worker
from newsletter.editions import checks, previews, rendering
from newsletter.forms import PreviewForm, SendAgainForm, SendForm, TestSendForm
from newsletter.imports.runner import inert
from newsletter.models import Campaign, Delivery, IssuePage, Subscriber
from newsletter.subscribers.audiences import size_by_mail_language
from newsletter.tasks import send_campaign

may_send = permission_required("newsletter.add_campaign")
may_see = permission_required("newsletter.view_campaign")
CANNOT_FREEZE = (lifecycle.Unpublished, rendering.Unrenderable)  # raised by lifecycle.freeze


def _issue(page_id: int) -> IssuePage:
    """Return an edition in its original language, whichever translation `page_id` names."""
    return get_object_or_404(IssuePage, pk=page_id).source_issue()


def _translations(issue: IssuePage) -> dict[str, IssuePage]:
    """Return {language code: IssuePage}, published or not."""
    pages = issue.get_translations(inclusive=True).select_related("locale")
    return {page.locale.language_code: page for page in pages}


# Before sending


@may_send
def issue_send(request: AuthenticatedHttpRequest, page_id: int) -> HttpResponse:
    """Show an edition before it is sent: problems, languages and audience, test mail, segment and time."""
    issue = _issue(page_id)
    pages, translations = lifecycle.published_languages(issue), _translations(issue)
    test_form = TestSendForm(request.POST or None, languages=translations, initial={"email": request.user.email})
    if request.method == "POST" and test_form.is_valid():
        for language in test_form.cleaned_data["languages"]:
            _send_test(request, translations[language], test_form.cleaned_data["email"])
        return redirect("newsletter_issue_send", issue.pk)
    recipients = size_by_mail_language(pages)
    findings = checks.run_checks(issue)
    waiting = issue.campaigns.filter(state__in=[Campaign.State.DRAFT, Campaign.State.SCHEDULED]).first()
    sent = list(issue.campaigns.filter(started_at__isnull=False))
    context = {
        "issue": issue,
        "translations": [(code, page, recipients.get(code)) for code, page in translations.items()],
        "findings": findings,
        "is_blocked": any_blocking(findings),
        "test_form": test_form,
        "form": SendForm(initial=_initial(waiting)),
        "waiting": waiting,
        "sent": [(campaign, lifecycle.newcomers(campaign).count()) for campaign in sent],
        "is_sending": lifecycle.is_sending(issue),
    }
    return render(request, "newsletter/admin/issue_send.html", context)


@may_send
@require_POST
def leave_out_list(request: AuthenticatedHttpRequest, page_id: int, block_id: str) -> HttpResponse:
    """Leave a list of news out of an edition in one language, or show it again."""
    page = get_object_or_404(IssuePage, pk=page_id)
    if not page.permissions_for_user(request.user).can_publish():
        raise PermissionDenied
    if "again" in request.GET:
        page.left_out_lists.filter(block_id=block_id).delete()
    elif any(block.id == block_id and block.block_type == "news" for block in page.body):
        page.left_out_lists.get_or_create(block_id=block_id)
    else:
        raise Http404
    purge_pages(page)
    return redirect("newsletter_issue_send", page.pk)


def _initial(campaign: Campaign | None) -> dict[str, Any]:
    """Return the form's initial values from a campaign that was prepared before."""
    if campaign is None:
        return {}
    when = "later" if campaign.scheduled_at else "now"
    return {
        "segment": campaign.segment_id,
        "when": when,
        "at": campaign.scheduled_at,
        "local_morning": campaign.local_morning,
    }


def _send_test(request: AuthenticatedHttpRequest, page: IssuePage, email: str) -> None:
    try:
        worker.send_test(page.get_latest_revision_as_object(), email)
    except outgoing.Suppressed:
        messages.error(request, _("%(email)s asked never to be mailed again.") % {"email": email})
    except Exception as error:
        messages.error(request, _("The test could not be sent: %(error)s") % {"error": error})
    else:
        words = {"email": email, "language": page.locale}
        messages.success(request, _("A test was sent to %(email)s (%(language)s).") % words)


@may_send
@require_safe
def issue_confirm(request: AuthenticatedHttpRequest, page_id: int, is_again: bool = False) -> HttpResponse:
    """Show the confirmation page: recipients by language, and the time. Only its button sends."""
    issue = _issue(page_id)
    if lifecycle.is_sending(issue) or lifecycle.was_started(issue) != is_again:
        return _redirect_to_latest_campaign(request, issue)
    form = SendForm(request.GET)
    if not form.is_valid():
        return _refuse(request, issue, form)
    shown = SendAgainForm(initial=request.GET.dict(), issue=issue) if is_again else form
    return _confirmation(request, issue, shown, form.cleaned_data, is_again)


def _confirmation(
    request: AuthenticatedHttpRequest, issue: IssuePage, form: SendForm, chosen: Mapping[str, Any], is_again: bool
) -> HttpResponse:
    segment = chosen["segment"]
    findings = checks.run_checks(issue, segment, is_quick=True)
    recipients = size_by_mail_language(lifecycle.published_languages(issue), segment)
    translations = _translations(issue)
    context = {
        "issue": issue,
        "form": form,
        "chosen": chosen,
        "key": lifecycle.start_key(issue),
        "is_again": is_again,
        "findings": findings,
        "is_blocked": any_blocking(findings),
        "recipients": [(translations[code].locale, number) for code, number in recipients.items()],
        "total": sum(recipients.values()),
        "at": site_time(chosen["at"]) if chosen["when"] == "later" else "",
    }
    return render(request, "newsletter/admin/issue_confirm.html", context)


def _refuse(request: AuthenticatedHttpRequest, issue: IssuePage, form: SendForm) -> HttpResponse:
    for errors in form.errors.values():
        messages.error(request, " ".join(map(str, errors)))
    return redirect("newsletter_issue_send", issue.pk)


def _redirect_to_latest_campaign(request: AuthenticatedHttpRequest, issue: IssuePage) -> HttpResponse:
    """Redirect to the latest campaign if an edition was started, scheduled or stopped since the page was opened."""
    newest = issue.campaigns.first()
    if newest is None:
        return redirect("newsletter_issue_send", issue.pk)
    words = {"state": newest.get_state_display(), "user": newest.created_by or "–"}
    messages.warning(
        request, _("Nothing was sent by this. The edition's last campaign, by %(user)s, is: %(state)s.") % words
    )
    return redirect("newsletter_campaign", newest.pk)


@may_send
@require_POST
def campaign_start(request: AuthenticatedHttpRequest, page_id: int, is_again: bool = False) -> HttpResponse:
    """Send or schedule an edition: once for each page of `issue_confirm`, and only if nothing changed since."""
    issue = _issue(page_id)
    form = SendAgainForm(request.POST, issue=issue) if is_again else SendForm(request.POST)
    if not form.is_valid():
        if list(form.errors) == ["title"]:
            return _confirmation(request, issue, form, form.cleaned_data, is_again)
        return _refuse(request, issue, form)
    chosen = form.cleaned_data
    if any_blocking(checks.run_checks(issue, chosen["segment"], is_quick=True)):
        messages.error(request, _("It cannot be sent like this. See what was found."))
        return redirect("newsletter_issue_send", issue.pk)
    try:
        campaign = lifecycle.start_or_schedule(
            issue, request.user, request.POST.get("key", ""),
            segment=chosen["segment"], local_morning=chosen["local_morning"],
            at=chosen["at"] if chosen["when"] == "later" else None, is_again=is_again,
        )  # fmt: skip
    except lifecycle.Outdated:
        return _redirect_to_latest_campaign(request, issue)
    except CANNOT_FREEZE as error:  # unpublished or changed since the check
        messages.error(request, _freeze_error_text(error))
        return redirect("newsletter_issue_send", issue.pk)
    if campaign.state == Campaign.State.SCHEDULED:
        messages.success(request, _("It will be sent on %(time)s.") % {"time": site_time(chosen["at"])})
    else:
        send_campaign.enqueue(campaign.pk)
        messages.success(request, _("The edition is on its way."))
    return redirect("newsletter_campaign", campaign.pk)


# Previews


@may_see
@require_safe
def issue_preview(request: AuthenticatedHttpRequest, page_id: int) -> HttpResponse:
    """Show a mail as it arrives: in a language, for a given subscriber, on a phone or a computer."""
    issue = _issue(page_id)
    languages = _translations(issue)
    form = PreviewForm(request.GET if "language" in request.GET else None, languages=languages)
    query = request.GET.urlencode() if form.is_valid() else f"language={issue.locale.language_code}&mode=mail&width=760"
    width = form.cleaned_data["width"] if form.is_valid() else "760"
    context = {"issue": issue, "form": form, "query": query, "width": width, "has_error": form.is_bound and not form.is_valid()}  # fmt: skip
    return render(request, "newsletter/admin/issue_preview.html", context)


@may_see
@require_safe
@xframe_options_sameorigin
def issue_mail(request: AuthenticatedHttpRequest, page_id: int) -> HttpResponse:
    """Return the mail for the frame of `issue_preview`: the latest draft, with inactive personal links."""
    languages = _translations(_issue(page_id))
    form = PreviewForm(request.GET, languages=languages)
    page = languages[form.cleaned_data["language"]] if form.is_valid() else _issue(page_id)
    subscriber = form.cleaned_data.get("subscriber")
    return previews.show(
        page.get_latest_revision_as_object(),
        form.cleaned_data.get("mode", "mail"),
        subscriber.name if subscriber else "",
    )


# Campaigns


class CampaignIndexView(IntroducedList, IndexView):
    """The list of campaigns, newest first."""

    model = Campaign
    queryset = Campaign.objects.select_related("issue", "created_by")
    permission_policy = ModelPermissionPolicy(Campaign)
    any_permission_required = ["view"]
    template_name = "newsletter/admin/campaigns.html"
    page_title = gettext_lazy("Campaigns")
    header_icon = "history"
    index_url_name = "newsletter_campaigns"
    index_results_url_name = "newsletter_campaigns_results"
    if_empty = gettext_lazy("No edition has been sent yet. Open one and choose “Send the edition…”.")
    paginate_by = 30
    list_filter = ["state"]
    search_fields = ["issue__title"]
    columns = [
        TitleColumn("issue", label=gettext_lazy("Edition"), sort_key="issue__title", url_name="newsletter_campaign"),
        Column("get_state_display", label=gettext_lazy("State"), sort_key="state"),
        DateColumn("started_at", label=gettext_lazy("Started"), sort_key="started_at"),
        NameColumn("created_by", label=gettext_lazy("Sent by"), blank_display_name="–"),
    ]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(*args, **kwargs) | {"stalled": list(lifecycle.stalled())}


def _progress(campaign: Campaign) -> dict[str, Any]:
    progress = reports.progress(campaign)
    names = {code: name for code, name in Delivery.State.choices if progress.states[code]}
    return {
        "campaign": campaign,
        "progress": progress,
        "languages": [(get_content_languages()[code], *pair) for code, pair in progress.languages.items()],
        "states": [(code, label, progress.states[code]) for code, label in names.items()],
        "resumes": site_time(campaign.resume_at) if campaign.is_waiting and campaign.resume_at else "",
        "scheduled": site_time(campaign.scheduled_at) if campaign.scheduled_at else "",
    }


@may_see
@require_safe
def campaign(request: AuthenticatedHttpRequest, campaign_id: int) -> HttpResponse:
    """Show a campaign: progress, actions and report."""
    found = get_object_or_404(Campaign.objects.select_related("issue", "created_by", "segment"), pk=campaign_id)
    context = _progress(found) | {
        "newcomers": lifecycle.newcomers(found).count(),
        "earlier": reports.compare_with_earlier(found),
        "variants": reports.variants(found),
        "timeline": reports.timeline(found),
        "links": found.links.filter(clicks__gt=0),
    }
    return render(request, "newsletter/admin/campaign.html", context)


def _address(delivery: Delivery) -> str | Promise:
    return delivery.subscriber.email if delivery.subscriber else _("erased")


def _url_of_subscriber(delivery: Delivery) -> str | None:
    return reverse("newsletter_subscriber", args=[delivery.subscriber_id]) if delivery.subscriber_id else None


class RecipientIndexView(IndexView):
    """The recipients of a campaign and what became of each mail. No column sorts: there may be a million rows."""

    model = Delivery
    permission_policy = ModelPermissionPolicy(Campaign)
    any_permission_required = ["view"]
    page_title = gettext_lazy("Recipients")
    header_icon = "mail"
    template_name = "core/list.html"
    no_results_message = gettext_lazy("Nobody matches.")
    paginate_by = 50
    list_filter = ["state"]
    search_fields = ["subscriber__email"]
    columns = [
        TitleColumn("email", label=gettext_lazy("E-mail"), accessor=_address, get_url=_url_of_subscriber),
        Column("language", label=gettext_lazy("Language")),
        Column("get_state_display", label=gettext_lazy("State")),
        DateColumn("sent_at", label=gettext_lazy("Sent")),
        Column("error", label=gettext_lazy("Reason"), classname="with-long-words"),
    ]

    @cached_property
    def campaign(self) -> Campaign:
        return get_object_or_404(Campaign.objects.select_related("issue"), pk=self.kwargs["campaign_id"])

    def get_base_queryset(self) -> QuerySet[Delivery]:
        return self.campaign.deliveries.select_related("subscriber").order_by("pk")

    def search_queryset(self, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Search as in the list of subscribers, whose index finds one among a million."""
        if not self.is_searching:
            return queryset
        return queryset.filter(subscriber__in=Subscriber.objects.matching(self.search_query))

    def get_index_url(self) -> str:
        return reverse("newsletter_campaign_recipients", args=[self.campaign.pk])

    def get_index_results_url(self) -> str:
        return reverse("newsletter_campaign_recipients_results", args=[self.campaign.pk])

    def get_page_subtitle(self) -> str:
        return str(self.campaign)

    def get_breadcrumbs_items(self) -> list[dict[str, str | Promise]]:
        above = [
            {"url": reverse("newsletter_campaigns"), "label": _("Campaigns")},
            {"url": reverse("newsletter_campaign", args=[self.campaign.pk]), "label": self.get_page_subtitle()},
        ]
        return [*self.breadcrumbs_items, *above, {"url": "", "label": self.page_title}]

    @cached_property
    def header_more_buttons(self) -> list[Button]:
        url = reverse("newsletter_campaign_csv", args=[self.campaign.pk])
        return [Button(_("Download as CSV"), url, icon_name="download")]


@may_see
@require_safe
def campaign_progress(request: AuthenticatedHttpRequest, campaign_id: int) -> HttpResponse:
    """Return the progress part of a campaign's page, polled while it runs."""
    found = get_object_or_404(Campaign.objects.select_related("issue", "created_by"), pk=campaign_id)
    return render(request, "newsletter/admin/_progress.html", _progress(found))


def _change(campaign: Campaign, action: str) -> str:
    if not lifecycle.change_state(campaign, action):
        return ""
    return _("Done: %(state)s.") % {"state": Campaign.objects.get(pk=campaign.pk).get_state_display()}


def _correct(campaign: Campaign) -> str:
    if not lifecycle.refresh_content(campaign):
        return ""
    return _("Those who have not got it yet will get it as it is published now.")


def _freeze_error_text(error: Exception) -> str:
    """Return the message of one of CANNOT_FREEZE for the editor."""
    if isinstance(error, rendering.Unrenderable):
        return str(error)
    return _("The edition is not published in any language.")


def _retry(campaign: Campaign) -> str:
    n = lifecycle.retry_failed(campaign)
    return ngettext("%(n)s mail will be tried again.", "%(n)s mails will be tried again.", n) % {"n": n} if n else ""


def _settle(campaign: Campaign) -> str:
    n = lifecycle.settle_unknown(campaign)
    return ngettext("%(n)s mail counts as sent.", "%(n)s mails count as sent.", n) % {"n": n} if n else ""


def _newcomers(campaign: Campaign) -> str:
    n = lifecycle.send_to_newcomers(campaign)
    return ngettext("It goes to %(n)s more person.", "It goes to %(n)s more people.", n) % {"n": n} if n else ""


# Each returns what it did, for the editor; nothing if the campaign's state does not allow it.
ACTIONS: dict[str, Callable[[Campaign], str]] = {
    "pause": lambda campaign: _change(campaign, "pause"),
    "resume": lambda campaign: _change(campaign, "resume"),
    "cancel": lambda campaign: _change(campaign, "cancel"),
    "correct": _correct,
    "retry": _retry,
    "settle": _settle,
    "newcomers": _newcomers,
}
ENQUEUING_ACTIONS = {"resume", "retry", "newcomers"}


@may_send
@require_POST
def campaign_change(request: AuthenticatedHttpRequest, campaign_id: int, action: str) -> HttpResponse:
    """Run one of ACTIONS, if the campaign's state allows it."""
    found = get_object_or_404(Campaign, pk=campaign_id)
    try:
        done = ACTIONS[action](found)
    except CANNOT_FREEZE as error:
        messages.error(request, _freeze_error_text(error))
        return redirect("newsletter_campaign", found.pk)
    if done:
        messages.success(request, done)
        if action in ENQUEUING_ACTIONS:
            send_campaign.enqueue(found.pk)
    else:
        state = Campaign.objects.get(pk=found.pk).get_state_display()
        messages.error(request, _("That is not possible now: the campaign is %(state)s.") % {"state": state})
    return redirect("newsletter_campaign", found.pk)


@may_see
@require_safe
def campaign_csv(request: AuthenticatedHttpRequest, campaign_id: int) -> StreamingHttpResponse:
    """Export the deliveries as CSV without spreadsheet formulas.

    Wagtail's own export reads all rows into memory, a million here, and lets formulas through.
    """
    found = get_object_or_404(Campaign.objects.select_related("issue"), pk=campaign_id)
    response = StreamingHttpResponse(
        in_language(get_language(), _csv_lines(found)), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{slugify(found.issue.title)}-{found.pk}.csv"'
    return response


class _Echo:
    """A file-like object that returns each line written by csv.writer."""

    @staticmethod
    def write(line: str) -> str:
        return line


def _csv_lines(campaign: Campaign) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield "\ufeff"  # spreadsheets need the byte order mark to detect UTF-8
    yield writer.writerow([_("E-mail"), _("Language"), _("State"), _("Sent"), _("Reason")])
    labels = dict(Delivery.State.choices)
    rows = campaign.deliveries.order_by("pk").values_list("subscriber__email", "language", "state", "sent_at", "error")
    for email, language, state, sent_at, error in rows.iterator(2000):
        sent = sent_at.isoformat(timespec="seconds") if sent_at else ""
        yield writer.writerow([inert(str(x)) for x in (email or "", language, labels[state], sent, error)])


class NewsletterPanel(Component):
    """Dashboard panel: scheduled campaigns, and the results of the last one."""

    name = "newsletter"
    order = 280
    template_name = "newsletter/admin/newsletter_panel.html"

    def get_context_data(self, parent_context: Mapping[str, Any]) -> dict[str, Any]:
        waiting = (
            Campaign.objects.filter(state=Campaign.State.SCHEDULED).select_related("issue").order_by("scheduled_at")
        )
        last = Campaign.objects.filter(started_at__isnull=False).select_related("issue").order_by("-started_at")[:1]
        return {
            "waiting": [(each, site_time(each.scheduled_at) if each.scheduled_at else "") for each in waiting],
            "last": next(iter(reports.summaries(last)), None),
        }
