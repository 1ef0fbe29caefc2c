"""Importing lists in the admin: upload, say what the columns are, look at the dry run, import, take the bad lines home."""

from collections.abc import Iterable
from typing import Any

from core.admin_lists import NameColumn
from core.i18n import in_language
from core.requests import AuthenticatedHttpRequest
from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from wagtail.admin.auth import permission_required
from wagtail.admin.ui.tables import Column, DateColumn, NumberColumn, TitleColumn
from wagtail.permission_policies import ModelPermissionPolicy

from newsletter.admin.form_and_list import FormAndListView
from newsletter.forms import MappingForm, UploadForm
from newsletter.imports import runner
from newsletter.models import SubscriberImport
from newsletter.tasks import work_on_imports

may_import = permission_required("newsletter.add_subscriberimport")
State = SubscriberImport.State


def _lines(job: SubscriberImport) -> int | str:
    return job.lines if job.state != State.UPLOADED else ""


class ImportIndexView(FormAndListView):
    """Earlier imports, and a form for a new one."""

    model = SubscriberImport
    queryset = SubscriberImport.objects.select_related("created_by")
    permission_policy = ModelPermissionPolicy(SubscriberImport)
    page_title = gettext_lazy("Import")
    header_icon = "upload"
    index_url_name = "newsletter_imports"
    index_results_url_name = "newsletter_imports_results"
    form_class = UploadForm
    introduction = gettext_lazy(
        "A list as CSV or XLSX, as Mailchimp, Brevo, listmonk, Ghost and MailerLite export it, or any table with a column of addresses. Nothing is imported before you have seen what would happen."
    )
    button = gettext_lazy("Upload")
    list_title = gettext_lazy("Earlier imports")
    if_empty = gettext_lazy("Nothing has been imported yet.")
    list_filter = ["state"]
    search_fields = ["file_name"]
    columns = [
        TitleColumn("file_name", label=gettext_lazy("File"), sort_key="file_name", url_name="newsletter_import"),
        Column("get_state_display", label=gettext_lazy("State"), sort_key="state"),
        NumberColumn("lines", label=gettext_lazy("Lines"), accessor=_lines, sort_key="lines"),
        DateColumn("created_at", label=gettext_lazy("When"), sort_key="created_at"),
        NameColumn("created_by", label=gettext_lazy("By"), blank_display_name="–"),
    ]

    def act(self, form: UploadForm) -> HttpResponse:
        job = form.save(commit=False)
        job.file_name, job.total_bytes, job.created_by = job.file.name[:200], job.file.size, self.request.user
        job.state, job.editor_language = State.LOOKING, get_language()
        job.save()
        work_on_imports.enqueue()
        return redirect("newsletter_import", job.pk)


@may_import
@require_http_methods(["GET", "POST"])
def show(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """One import: the columns to assign, the progress, what came of it."""
    job = get_object_or_404(SubscriberImport, pk=pk)
    form = MappingForm(request.POST if request.method == "POST" else None, job=job, sample=job.sample)
    if request.method == "POST" and job.state in {State.UPLOADED, State.CHECKED} and form.is_valid():
        if runner.begin(job, State.CHECKING, form.mapping, form.meanings, form.cleaned_data.get("date_order", "")):
            work_on_imports.enqueue()
        else:
            _refuse(request, job)
        return redirect("newsletter_import", pk)
    return render(request, "newsletter/admin/import.html", {"form": form, **_progress(job)})


def _progress(job: SubscriberImport) -> dict[str, Any]:
    outcomes = [(label, job.counts[code]) for code, label in runner.Outcome.choices if code in job.counts]
    return {
        "job": job,
        "outcomes": outcomes,
        "is_running": job.state in SubscriberImport.WORKING,
        "bad": job.bad_lines.all()[:20],
        "number_of_bad": job.bad_lines.count(),
    }


@may_import
@require_safe
def progress(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The part of an import's page that changes while it runs."""
    return render(
        request, "newsletter/admin/_import_progress.html", _progress(get_object_or_404(SubscriberImport, pk=pk))
    )


@may_import
@require_POST
def change(request: AuthenticatedHttpRequest, pk: int, action: str) -> HttpResponse:
    """Import what was checked, or cancel."""
    job = get_object_or_404(SubscriberImport, pk=pk)
    if action == "start" and runner.begin(job, State.IMPORTING, seen=_number(request.POST.get("seen"))):
        work_on_imports.enqueue()
    elif action == "cancel" and runner.cancel(job):
        messages.success(request, _("The import was cancelled. What had been imported until then stays."))
    else:
        _refuse(request, job)
    return redirect("newsletter_import", pk)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else -1


def _refuse(request: AuthenticatedHttpRequest, job: SubscriberImport) -> None:
    job.refresh_from_db()
    messages.error(request, _("That is not possible now: %(state)s.") % {"state": job.get_state_display()})


def _csv(lines: Iterable[str], name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(in_language(get_language(), lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


@may_import
@require_safe
def forecast(request: AuthenticatedHttpRequest, pk: int) -> StreamingHttpResponse:
    """Line by line what the import would do, as a file."""
    job = get_object_or_404(SubscriberImport, pk=pk, file__gt="")
    return _csv(runner.forecast(job), f"import-{pk}-forecast")


@may_import
@require_safe
def bad_lines(request: AuthenticatedHttpRequest, pk: int) -> StreamingHttpResponse:
    """The lines that were not taken, with the reason, as a file."""
    return _csv(runner.bad_lines(get_object_or_404(SubscriberImport, pk=pk)), f"import-{pk}-bad-lines")
