"""Health checks for load balancers, the status page, and the outbox of a site without an e-mail provider."""

from core.admin_lists import IntroducedList
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django_tasks_db.models import DBTaskResult
from jobs.database import pending_migrations
from jobs.models import JobRun
from jobs.periodic import JOBS
from wagtail.admin import messages
from wagtail.admin.auth import permission_required, user_passes_test
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.log_actions import log

from operations import file_outbox, status

PLAIN_TEXT = "text/plain; charset=utf-8"
operators_only = permission_required("auth.change_user")
outbox_readers_only = user_passes_test(lambda user: user.is_superuser and settings.EMAIL_PROVIDER == "local")


# Health checks


def healthz(request: HttpRequest) -> HttpResponse:
    """Liveness: 200 as long as the process answers."""
    return HttpResponse("ok\n", content_type=PLAIN_TEXT)


def readyz(request: HttpRequest) -> HttpResponse:
    """Readiness: 200 if the database answers, is fully migrated and has the task queue's table; otherwise 503."""
    try:
        pending = pending_migrations()
        DBTaskResult.objects.exists()
    except Exception as error:
        return HttpResponse(f"database: {type(error).__name__}\n", content_type=PLAIN_TEXT, status=503)
    if pending:
        return HttpResponse(f"migrations: {pending} to apply\n", content_type=PLAIN_TEXT, status=503)
    return HttpResponse("ok\n", content_type=PLAIN_TEXT)


# System status


@operators_only
def status_page(request: HttpRequest) -> TemplateResponse:
    """All health checks, and each periodic job with its last run."""
    runs = {run.name: run for run in JobRun.objects.all()}
    jobs = sorted(((job, runs.get(name)) for name, job in JOBS.items()), key=lambda pair: str(pair[0].label))
    return TemplateResponse(request, "operations/status.html", {"checks": status.all_health_checks(), "jobs": jobs})


@operators_only
@require_POST
def run_job_now(request: HttpRequest, name: str) -> HttpResponseRedirect:
    """Make a periodic job due, so that the next poll enqueues it."""
    run = get_object_or_404(JobRun, name=name)
    JobRun.objects.filter(pk=run.pk).update(due_at=timezone.now())
    log(instance=run, action="clac.job_run", user=request.user)
    messages.success(request, _("It runs in a moment; reload the page to see what came of it."))
    return HttpResponseRedirect(reverse("operations"))


# Outbox


def _url_of_mail(row: tuple[str, file_outbox.StoredMail]) -> str:
    return reverse("localmail_detail", args=[row[0]])


class MailListView(IntroducedList):
    """The newest messages in the outbox, as pairs of key and message."""

    page_title = _("Outgoing mail")
    header_icon = "mail"
    introduction = _("No provider is set, so mail stays on this machine. These are the newest messages.")
    if_empty = _("No mail has been sent yet.")
    columns = [
        TitleColumn("subject", label=_("Subject"), accessor=lambda row: row[1]["Subject"] or "–", get_url=_url_of_mail),
        Column("to", label=_("To"), accessor=lambda row: row[1]["To"]),
        DateColumn("sent_at", label=_("When"), accessor=lambda row: row[1].sent_at),
    ]

    def get_queryset(self) -> list[tuple[str, file_outbox.StoredMail]]:
        return file_outbox.recent()


def _read_or_404(key: str) -> file_outbox.StoredMail:
    try:
        return file_outbox.read(key)
    except (FileNotFoundError, ValueError):
        raise Http404 from None


@outbox_readers_only
def mail_detail(request: HttpRequest, key: str) -> HttpResponse:
    """One message: its headers, the HTML part in a frame, and the text part."""
    message = _read_or_404(key)
    text = message.get_body(("plain",))
    context = {"key": key, "message": message, "headers": message.items(), "text": text.get_content() if text else ""}
    return render(request, "operations/mail_detail.html", context)


@outbox_readers_only
def mail_html(request: HttpRequest, key: str) -> HttpResponse:
    """The HTML part of one message, sandboxed."""
    body = _read_or_404(key).get_body(("html",))
    response = HttpResponse(body.get_content() if body else "")
    sandbox = "allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
    response["Content-Security-Policy"] = f"{file_outbox.MAIL_POLICY}; sandbox {sandbox}"
    return response
