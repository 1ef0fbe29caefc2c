"""Runs of periodic jobs, and the heartbeats of workers."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from redaction.fields import RedactedTextField


class JobRun(models.Model):
    """The last and the next run of a periodic job."""

    name = models.CharField(_("name"), max_length=60, unique=True)
    due_at = models.DateTimeField(_("next run"), default=timezone.now)
    lease_until = models.DateTimeField(null=True, editable=False)
    started_at = models.DateTimeField(_("last started"), null=True)
    finished_at = models.DateTimeField(_("last finished"), null=True)
    succeeded = models.BooleanField(_("succeeded"), null=True)
    outcome = RedactedTextField(_("outcome"), blank=True)

    class Meta:
        verbose_name = _("scheduled job")
        verbose_name_plural = _("scheduled jobs")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class WorkerHeartbeat(models.Model):
    """When a worker process was last seen alive."""

    name = models.CharField(max_length=120, unique=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
