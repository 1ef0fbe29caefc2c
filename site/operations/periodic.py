"""Periodic jobs of operations."""

from datetime import timedelta

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from jobs.periodic import every

from operations import backup


@every(timedelta(days=1), _("back up the database and the files"))
def back_up() -> str | None:
    """Make a backup in BACKUP_DIR."""
    return backup.create().name if settings.BACKUP_KEEP else None
