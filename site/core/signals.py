"""Signals between the apps, and what core itself does on them."""

from django.core.management import call_command
from django.dispatch import Signal, receiver

# Sent by every worker every TICK_SECONDS and by `manage.py tick`: receivers look for work that the task queue forgot.
tick = Signal()


@receiver(tick)
def publish_scheduled(**kwargs):
    """Publish and expire pages and snippets whose time has come."""
    call_command("publish_scheduled", verbosity=0)
