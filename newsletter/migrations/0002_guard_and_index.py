"""The guard of consent events, and the index that finds subscribers (newsletter/database.py)."""

from django.db import migrations

from newsletter import database


class Migration(migrations.Migration):
    dependencies = [("newsletter", "0001_initial")]
    operations = [migrations.RunPython(database.create, database.drop)]
