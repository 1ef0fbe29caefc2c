"""The jobs of core itself."""

from datetime import timedelta

from django.conf import settings
from django.core.management import call_command
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from . import backup, limits, mending  # noqa: F401 – its job
from .models import PageReadings
from .schedule import every

READINGS_KEPT = timedelta(days=400)


@every(timedelta(minutes=1), _("publish and expire what is scheduled"))
def publish_scheduled():
    """Publish and expire pages and snippets whose time has come."""
    call_command("publish_scheduled", verbosity=0)


@every(timedelta(hours=1), _("forget what limits no longer look at"))
def forget_old_uses():
    """Delete what no limit looks at any more."""
    return limits.forget_old()


@every(timedelta(days=1), _("forget finished tasks"))
def prune_tasks():
    """Delete the queue's rows of tasks that finished a week ago."""
    backend = "database" if settings.REDIS_URL else "default"
    call_command("prune_db_task_results", "--backend", backend, "--min-age-days", "7", verbosity=0)


@every(timedelta(days=1), _("forget how often pages were read more than a year ago"))
def forget_old_readings():
    """Delete the readings that nobody compares with any more."""
    return PageReadings.objects.filter(day__lt=timezone.localdate() - READINGS_KEPT).delete()[0]


@every(timedelta(days=1), _("back up the database and the files"))
def back_up():
    """Make a backup in BACKUP_DIR."""
    if settings.BACKUP_KEEP:
        return backup.make().name
