"""Consent events are append-only in the database itself, not only in the code."""

from django.db import migrations

from newsletter import consent_triggers


class Migration(migrations.Migration):
    dependencies = [("newsletter", "0001_initial")]
    operations = [migrations.RunPython(consent_triggers.create, consent_triggers.drop)]
