"""Background tasks of the newsletter. A task only starts a worker; what is to be done is read from the database."""

from datetime import timedelta

from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_tasks import task
from jobs import clock
from jobs.leases import unleased
from jobs.periodic import every, removal_report
from jobs.process import run_batches
from jobs.recovery import worker_poll
from operations.alerts import raise_alert
from structlog.contextvars import bound_contextvars

from newsletter.campaigns import lifecycle, tracking
from newsletter.delivery import claim_files, worker
from newsletter.editions import digest
from newsletter.feedback import bounce_mailbox, events, incoming
from newsletter.imports import runner
from newsletter.subscribers import retention, subscriptions, triggers

from .models import Campaign, Click, IncomingReport, ProviderEvent, SignUpRequest, SubscriberImport

BATCH_SECONDS = 5  # time limit for sign-ups, reports and events
WORKER_SECONDS = 20  # time limit of a campaign or import before other tasks run


@task(priority=50)
def process_sign_ups() -> None:
    """Process waiting sign-ups."""
    if run_batches(BATCH_SECONDS, subscriptions.process_requests):
        process_sign_ups.enqueue()


@task(priority=-10)
def send_campaign(campaign_id: int) -> None:
    """Send a campaign for WORKER_SECONDS. While many deliveries wait, another task lets a second worker join."""
    with bound_contextvars(campaign_id=campaign_id):
        campaign = Campaign.objects.get(pk=campaign_id)
        needs_second_worker = worker.needs_second_worker(campaign)
        if needs_second_worker:
            send_campaign.enqueue(campaign_id)
        if worker.run(campaign, WORKER_SECONDS) and not needs_second_worker:
            send_campaign.enqueue(campaign_id)


@task(priority=40)
def process_incoming_reports() -> None:
    """Read the provider's waiting reports, then act on their events."""
    if run_batches(BATCH_SECONDS, incoming.process):
        process_incoming_reports.enqueue()
    if unleased(ProviderEvent.objects.filter(state=ProviderEvent.State.WAITING)).exists():
        process_provider_events.enqueue()


@task(priority=40)
def process_provider_events() -> None:
    """Act on waiting provider events."""
    if run_batches(BATCH_SECONDS, events.process):
        process_provider_events.enqueue()


@task(priority=-20)
def work_on_imports() -> None:
    """Work on imports for WORKER_SECONDS, then queue again behind other tasks."""
    if runner.work_on_next(WORKER_SECONDS):
        work_on_imports.enqueue()


@receiver(worker_poll)
def enqueue_imports(**kwargs: object) -> None:
    """Enqueue imports whose worker died."""
    if unleased(SubscriberImport.objects.filter(state__in=SubscriberImport.WORKING)).exists():
        work_on_imports.enqueue()


@every(timedelta(hours=1), _("add up the number of subscribers"))
def sum_up_tally() -> None:
    """Consolidate the rows of the subscriber tally."""
    triggers.sum_up_tally()


@every(timedelta(minutes=2), _("read the mailbox for bounced mail"))
def poll_bounces() -> str | None:
    """Store the bounces in the mailbox; the next poll enqueues their processing."""
    return bounce_mailbox.poll()


@every(timedelta(minutes=5), _("look for campaigns of which no mail goes out"))
def look_for_unmoved_campaigns() -> None:
    """Alert the operators about campaigns that send no mail although they could."""
    for campaign in lifecycle.stalled():
        raise_alert("campaign stands still", f"No mail of campaign {campaign.pk} has gone out for 15 minutes.")


@every(timedelta(hours=1), _("draft the edition that repeats"))
def draft_digest() -> str:
    """Draft the repeating edition if its week or month has begun and there is news."""
    issue = digest.draft_due()
    return str(issue) if issue else ""


@every(timedelta(days=1), _("delete personal data that was kept long enough"))
def apply_retention() -> str:
    """Apply RETENTION_DAYS to the newsletter's data."""
    return removal_report(retention.apply())


@receiver(worker_poll)
def enqueue_provider_events(**kwargs: object) -> None:
    """Enqueue reports and events whose task was lost, or whose delivery may exist by now."""
    if unleased(IncomingReport.objects.filter(state=IncomingReport.State.WAITING)).exists():
        process_incoming_reports.enqueue()
    if unleased(ProviderEvent.objects.filter(state=ProviderEvent.State.WAITING)).exists():
        process_provider_events.enqueue()


@receiver(worker_poll)
def count_clicks(**kwargs: object) -> None:
    """Count clicks that are ready for evaluation."""
    if Click.objects.exists():
        tracking.count_clicks()


@receiver(worker_poll)
def start_due_campaigns(**kwargs: object) -> None:
    """Start due campaigns."""
    for campaign in lifecycle.start_due():
        send_campaign.enqueue(campaign.pk)


@receiver(worker_poll)
def enqueue_campaigns(**kwargs: object) -> None:
    """Enqueue campaigns whose worker died or whose pause is over."""
    for campaign in lifecycle.without_worker():
        Campaign.objects.filter(pk=campaign.pk).update(worked_at=clock.now())
        send_campaign.enqueue(campaign.pk)


@receiver(worker_poll)
def resume_after_dead_workers(**kwargs: object) -> None:
    """Enqueue campaigns with claims of killed workers of this machine."""
    for campaign_id in claim_files.expire_leases_of_dead_workers():
        send_campaign.enqueue(campaign_id)


@receiver(worker_poll)
def settle_cancelled_campaigns(**kwargs: object) -> None:
    """Settle deliveries that were claimed when a campaign was cancelled."""
    lifecycle.settle_cancelled()


@receiver(worker_poll)
def enqueue_sign_ups(**kwargs: object) -> None:
    """Enqueue sign-ups whose task was lost."""
    old = timezone.now() - timedelta(seconds=30)
    if unleased(SignUpRequest.objects.filter(created_at__lt=old)).exists():
        process_sign_ups.enqueue()
