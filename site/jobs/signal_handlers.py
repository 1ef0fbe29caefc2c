"""Redacts stored tracebacks of failed tasks."""

from django.db.models.signals import pre_save
from django.dispatch import receiver
from django_tasks_db.models import DBTaskResult
from redaction.text import blank


@receiver(pre_save, sender=DBTaskResult)
def blank_traceback(instance: DBTaskResult, **kwargs: object) -> None:
    """Redact addresses and tokens, which exceptions of libraries may quote."""
    instance.traceback = blank(instance.traceback)
