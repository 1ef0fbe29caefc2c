"""Deletes finished tasks."""

from datetime import timedelta

from django.conf import settings
from django.core.management import call_command
from django.utils.translation import gettext_lazy as _
from django_tasks_db.models import DBTaskResult

from jobs.periodic import every, removal_report


@every(timedelta(days=1), _("forget finished tasks"))
def prune_tasks() -> str:
    """Delete the rows of tasks that finished more than a week ago."""
    backend = "database" if settings.REDIS_URL else "default"
    before = DBTaskResult.objects.finished().count()
    call_command("prune_db_task_results", "--backend", backend, "--min-age-days", "7", verbosity=0)
    return removal_report({"finished tasks": max(0, before - DBTaskResult.objects.finished().count())})
