"""Periodic jobs of accounts."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils.translation import gettext_lazy as _
from jobs.periodic import every, removal_report


@every(timedelta(days=1), _("forget sessions that have ended"))
def forget_sessions() -> str:
    """Delete expired sessions."""
    before = Session.objects.count()
    call_command("clearsessions", verbosity=0)
    return removal_report({"sessions": max(0, before - Session.objects.count())})
