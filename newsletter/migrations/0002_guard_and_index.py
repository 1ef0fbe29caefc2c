"""The guard of consent events, the index that finds subscribers, the tally that counts them (newsletter/database.py)."""

from django.db import migrations

from newsletter import database


class Migration(migrations.Migration):
    dependencies = [("newsletter", "0001_initial")]
    operations = [migrations.RunPython(database.create, database.drop)]
