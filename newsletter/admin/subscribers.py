"""Subscribers in the admin: list, history, data export, erasure and suppression, CSV export."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime

from core.admin_lists import NameColumn
from core.requests import AuthenticatedHttpRequest
from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from privacy import registry
from wagtail.admin.auth import permission_required
from wagtail.admin.ui.tables import Column, DateColumn, NumberColumn, Table, TitleColumn
from wagtail.admin.views.generic import IndexView
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.log_actions import log
from wagtail.permission_policies import ModelPermissionPolicy

from newsletter.admin.form_and_list import FormAndListView
from newsletter.forms import ExportForm, SuppressionForm
from newsletter.imports.runner import Echo, inert
from newsletter.models import ConsentEvent, IncomingReport, ProviderEvent, Subscriber, SubscriberExport, Suppression
from newsletter.models.subscribers import SubscriberQuerySet
from newsletter.subscribers import subscriptions
from newsletter.subscribers.audiences import audience

may_see = permission_required("newsletter.view_subscriber")
may_change = permission_required("newsletter.change_subscriber")
may_erase = permission_required("newsletter.delete_subscriber")


class ReadOnlyPermissionPolicy(ModelPermissionPolicy):
    """Read-only: consent and provider events are not editable, and erasing has a page of its own."""

    DENIED = {"add", "delete", "change"}

    def user_has_permission(self, user: User, action: str) -> bool:
        return action not in self.DENIED and super().user_has_permission(user, action)

    def user_has_any_permission(self, user: User, actions: Iterable[str]) -> bool:
        return super().user_has_any_permission(user, set(actions) - self.DENIED)


class SubscriberIndexView(IndexView):
    """The list of subscribers, searched with the database's own index."""

    def search_queryset(self, queryset: SubscriberQuerySet) -> SubscriberQuerySet:
        return queryset.matching(self.search_query) if self.is_searching else queryset


class SubscriberViewSet(ModelViewSet):
    """Subscribers: list and search; a click leads to the history."""

    model = Subscriber
    name = "subscribers"
    icon = "mail"
    index_template_name = "core/list.html"
    menu_label = _("Subscribers")
    permission_policy = ReadOnlyPermissionPolicy(Subscriber)
    list_display = [
        TitleColumn("email", label=_("E-mail"), url_name="newsletter_subscriber"),
        Column("get_state_display", label=_("State"), sort_key="state"),
        Column("get_language_display", label=_("Language"), sort_key="language"),
        DateColumn("created_at", label=_("Asked"), sort_key="created_at"),
        DateColumn("confirmed_at", label=_("Confirmed"), sort_key="confirmed_at"),
    ]
    index_view_class = SubscriberIndexView
    list_filter = ["state", "language", "source", "is_disposable"]
    search_fields = ["email", "name"]
    search_backend_name = None
    form_fields = ["name"]
    copy_view_enabled = False
    ordering = "-pk"


class UnreadableIndex(IndexView):
    """The list of unreadable reports."""

    def get_base_queryset(self) -> QuerySet[IncomingReport]:
        return super().get_base_queryset().filter(state=IncomingReport.State.UNREADABLE)


class ProviderEventViewSet(ModelViewSet):
    """Provider events, including those about unknown mails."""

    model = ProviderEvent
    name = "provider-events"
    icon = "comment"
    index_template_name = "core/list.html"
    menu_label = _("Messages of the provider")
    permission_policy = ReadOnlyPermissionPolicy(ProviderEvent)
    list_display = [
        DateColumn("received_at", label=_("Received"), sort_key="received_at"),
        Column("get_kind_display", label=_("Message")),
        "recipient",
        Column("get_state_display", label=_("State")),
        Column("description", label=_("Description")),
    ]
    list_filter = ["state", "kind"]
    search_fields = ["recipient"]
    search_backend_name = None
    form_fields = ["kind"]
    copy_view_enabled = False


class UnreadableReportViewSet(ModelViewSet):
    """Reports of providers and mail servers that could not be read."""

    model = IncomingReport
    name = "unreadable-reports"
    icon = "warning"
    index_template_name = "core/list.html"
    menu_label = _("Reports that cannot be read")
    permission_policy = ReadOnlyPermissionPolicy(IncomingReport)
    list_display = [
        "source",
        DateColumn("received_at", label=_("Received"), sort_key="received_at"),
        Column("problem", label=_("Reason")),
        Column("excerpt", label=_("Content")),
    ]
    list_filter = ["source"]
    form_fields = ["source"]
    copy_view_enabled = False
    inspect_view_enabled = True
    inspect_view_fields = ["received_at", "source", "problem", "text"]
    index_view_class = UnreadableIndex


@may_see
@require_safe
def history(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Show one subscriber: data, consent events, deliveries."""
    subscriber = get_object_or_404(Subscriber, pk=pk)
    context = {
        "subscriber": subscriber,
        "events": subscriber.consent_events.all(),
        "deliveries": subscriber.deliveries.select_related("campaign__issue").order_by("-pk")[:200],
        "suppressed": bool(Suppression.covers([subscriber.email])),
    }
    return render(request, "newsletter/admin/subscriber.html", context)


@may_change
@require_POST
def end(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Unsubscribe somebody who asked for it without using the link."""
    subscriber = get_object_or_404(Subscriber, pk=pk)
    if subscriptions.leave(subscriber, ConsentEvent.Method.STAFF):
        log(subscriber, "newsletter.end", user=request.user)
        messages.success(request, _("%(email)s gets no more mail.") % {"email": subscriber.email})
    else:
        messages.info(request, _("%(email)s was no longer on the list.") % {"email": subscriber.email})
    return redirect("newsletter_subscriber", pk)


@may_see
@require_POST
def download_data(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Download all data about a person, to hand over to them."""
    subscriber = get_object_or_404(Subscriber, pk=pk)
    log(subscriber, "newsletter.data", user=request.user)
    response = JsonResponse(
        registry.export_data(subscriber.email), json_dumps_params={"indent": 2, "ensure_ascii": False}
    )
    response["Content-Disposition"] = f'attachment; filename="subscriber-{pk}.json"'
    return response


@may_erase
@require_http_methods(["GET", "POST"])
def suppressions(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Erase an address on request, show whether it is suppressed, or lift that at its owner's written request."""
    form = SuppressionForm(request.POST or None)
    if form.is_valid():
        SUPPRESSION_ACTIONS[form.cleaned_data["what"]](request, form)
        return redirect("newsletter_suppressions")
    counts = [(label, Suppression.objects.filter(reason=code).count()) for code, label in Suppression.Reason.choices]
    columns = [
        Column("reason", label=_("Reason"), accessor=lambda row: row[0]),
        NumberColumn("number", label=_("How many"), accessor=lambda row: row[1]),
    ]
    context = {"form": form, "counts": Table(columns, counts)}
    return render(request, "newsletter/admin/suppressions.html", context, status=422 if form.is_bound else 200)


def _erase(request: AuthenticatedHttpRequest, form: SuppressionForm) -> None:
    email = form.cleaned_data["email"]
    with transaction.atomic():
        subscriber = form.cleaned_data["subscriber"]
        if subscriber and not Subscriber.objects.select_for_update().filter(pk=subscriber.pk, email=email):
            messages.error(request, _("Nothing was erased: this person's address has just changed."))
            return
        number = registry.erase(email)
        # The log must not contain the erased address.
        log(Suppression.of(email).first(), "newsletter.erase", user=request.user)
    messages.success(
        request, _("Erased: %(number)s records. The address will never be mailed again.") % {"number": number}
    )


def _show_suppression(request: AuthenticatedHttpRequest, form: SuppressionForm) -> None:
    email = form.cleaned_data["email"]
    reason = Suppression.reasons([email]).get(email)
    if reason is None:
        messages.info(request, _("%(email)s is not suppressed.") % {"email": email})
    elif reason == Suppression.Reason.ENDED:
        messages.info(
            request,
            _("%(email)s once had a subscription: an import does not take it, its owner may join again.")
            % {"email": email},
        )
    else:
        messages.warning(request, _("%(email)s is suppressed: it is never mailed.") % {"email": email})


def _lift(request: AuthenticatedHttpRequest, form: SuppressionForm) -> None:
    email = form.cleaned_data["email"]
    if Suppression.lift(email):
        log(Suppression(pk=0), "newsletter.lift", user=request.user)
        messages.success(request, _("%(email)s may join again.") % {"email": email})
    else:
        messages.info(request, _("%(email)s is not suppressed.") % {"email": email})


SUPPRESSION_ACTIONS = {"erase": _erase, "look": _show_suppression, "lift": _lift}


class ExportIndexView(FormAndListView):
    """Export the active subscribers, or those of a segment, as CSV without spreadsheet formulas; earlier exports."""

    model = SubscriberExport
    queryset = SubscriberExport.objects.select_related("created_by")
    permission_policy = ModelPermissionPolicy(SubscriberExport)
    page_title = _("Export")
    header_icon = "download"
    index_url_name = "newsletter_export"
    form_class = ExportForm
    introduction = _("The list as CSV, for a spreadsheet or another program. Every export is recorded below.")
    button = _("Download as CSV")
    list_title = _("Earlier exports")
    if_empty = _("Nothing has been exported yet.")
    columns = [
        DateColumn("created_at", label=_("When"), sort_key="created_at"),
        NameColumn("created_by", label=_("By"), blank_display_name="–"),
        Column("which", label=_("Which")),
        NumberColumn("number", label=_("How many")),
    ]

    def act(self, form: ExportForm) -> StreamingHttpResponse:
        segment = form.cleaned_data["segment"]
        people = audience(segment)
        SubscriberExport.objects.create(
            created_by=self.request.user, choice=segment.name if segment else "", number=people.count()
        )
        response = StreamingHttpResponse(_lines(people), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="subscribers-{timezone.localdate()}.csv"'
        return response


def _lines(people: SubscriberQuerySet) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield "\ufeff" + writer.writerow(["email", "name", "language", "country", "source", "created_at", "confirmed_at"])
    for row in (
        people.order_by("pk")
        .values_list("email", "name", "language", "country", "source", "created_at", "confirmed_at")
        .iterator(2000)
    ):
        yield writer.writerow([inert(x.isoformat() if isinstance(x, datetime) else x or "") for x in row])
