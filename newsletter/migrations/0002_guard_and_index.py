"""Consent guard, subscriber search index and tally (newsletter/subscribers/triggers.py)."""

from django.db import migrations

from newsletter.subscribers import triggers


class Migration(migrations.Migration):
    dependencies = [("newsletter", "0001_initial"), ("search", "0001_initial")]
    operations = [migrations.RunPython(triggers.create, triggers.drop)]
