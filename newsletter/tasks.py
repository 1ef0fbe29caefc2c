"""Background work of the newsletter. A task only wakes a worker; what is to be done stands in the ledger."""

from datetime import timedelta

from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_tasks import task
from jobs.leases import unleased
from jobs.periodic import every, removal_report
from jobs.process import run_batches
from jobs.recovery import worker_poll
from operations.alerts import raise_alert
from structlog.contextvars import bound_contextvars

from newsletter.campaigns import lifecycle, tracking
from newsletter.delivery import in_hand, worker
from newsletter.feedback import bounce_mailbox, events, incoming
from newsletter.imports import runner
from newsletter.subscribers import retention, subscriptions, triggers

from .models import Campaign, Click, IncomingReport, ProviderEvent, SignUpRequest, SubscriberImport

TURN_SECONDS = 5  # of what arrives all the time
SHIFT_SECONDS = 20  # a campaign makes way for other work this often


@task(priority=50)
def process_sign_ups():
    """Answer the sign-ups that wait."""
    if run_batches(TURN_SECONDS, subscriptions.process_requests):
        process_sign_ups.enqueue()


@task(priority=-10)
def send_campaign(campaign_id):
    """Send a campaign for a while. As long as there is enough for another worker, one more task waits for it to join in."""
    with bound_contextvars(campaign_id=campaign_id):
        campaign = Campaign.objects.get(pk=campaign_id)
        is_for_several = worker.is_for_several(campaign)
        if is_for_several:
            send_campaign.enqueue(campaign_id)
        if worker.work_on(campaign, SHIFT_SECONDS) and not is_for_several:
            send_campaign.enqueue(campaign_id)


@task(priority=40)
def process_incoming_reports():
    """Take apart what the provider called to say, then act on it."""
    if run_batches(TURN_SECONDS, incoming.process):
        process_incoming_reports.enqueue()
    if unleased(ProviderEvent.objects.filter(state=ProviderEvent.State.WAITING)).exists():
        process_provider_events.enqueue()


@task(priority=40)
def process_provider_events():
    """Act on what the provider said."""
    if run_batches(TURN_SECONDS, events.process):
        process_provider_events.enqueue()


@task(priority=-20)
def work_on_imports():
    """Work on imports for a while, then queue up again behind whatever else waits."""
    if runner.work_on_next(SHIFT_SECONDS):
        work_on_imports.enqueue()


@receiver(worker_poll)
def wake_imports(**kwargs):
    """Go on with imports whose worker died."""
    if unleased(SubscriberImport.objects.filter(state__in=SubscriberImport.WORKING)).exists():
        work_on_imports.enqueue()


@every(timedelta(hours=1), _("add up the number of subscribers"))
def sum_up_tally():
    """Make one row of the differences in the tally of subscribers."""
    triggers.sum_up_tally()


@every(timedelta(minutes=2), _("read the mailbox for bounced mail"))
def poll_bounces():
    """Keep the bounces that lie in the mailbox; they are processed at the next poll."""
    return bounce_mailbox.poll()


@every(timedelta(minutes=5), _("look for campaigns of which no mail goes out"))
def look_for_unmoved_campaigns():
    """Send an alert for each campaign that should be sending and is not."""
    for campaign in lifecycle.unmoved():
        raise_alert("campaign stands still", f"No mail of campaign {campaign.pk} has gone out for 15 minutes.")


@every(timedelta(days=1), _("delete personal data that was kept long enough"))
def apply_retention():
    """Apply RETENTION_DAYS to the newsletter's data."""
    return removal_report(retention.apply())


@receiver(worker_poll)
def wake_provider_events(**kwargs):
    """Read reports and act on events whose task was lost, or whose ledger row may have come by now."""
    if unleased(IncomingReport.objects.filter(state=IncomingReport.State.WAITING)).exists():
        process_incoming_reports.enqueue()
    if unleased(ProviderEvent.objects.filter(state=ProviderEvent.State.WAITING)).exists():
        process_provider_events.enqueue()


@receiver(worker_poll)
def judge_clicks(**kwargs):
    """Count the clicks whose moment is over."""
    if Click.objects.exists():
        tracking.judge()


@receiver(worker_poll)
def start_due_campaigns(**kwargs):
    """Start the campaigns whose time has come."""
    for campaign in lifecycle.start_due():
        send_campaign.enqueue(campaign.pk)


@receiver(worker_poll)
def wake_campaigns(**kwargs):
    """Go on with campaigns whose worker died, or whose pause before a further try is over."""
    for campaign in lifecycle.forgotten():
        Campaign.objects.filter(pk=campaign.pk).update(worked_at=timezone.now())
        send_campaign.enqueue(campaign.pk)


@receiver(worker_poll)
def take_back_from_the_dead(**kwargs):
    """Go on with what a worker of this machine held when it was killed."""
    for campaign_id in in_hand.take_back():
        send_campaign.enqueue(campaign_id)


@receiver(worker_poll)
def settle_cancelled_campaigns(**kwargs):
    """Settle what was in hand when a campaign was cancelled."""
    lifecycle.settle_cancelled()


@receiver(worker_poll)
def wake_sign_ups(**kwargs):
    """Answer sign-ups whose task was lost."""
    old = timezone.now() - timedelta(seconds=30)
    if unleased(SignUpRequest.objects.filter(created_at__lt=old)).exists():
        process_sign_ups.enqueue()
