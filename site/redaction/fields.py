"""Fields that take no e-mail address in."""

from django.db import models

from redaction.text import redact


class _Redacted:
    """A field that never holds an address: what is written to it is redacted, whichever way it is written."""

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return redact(value) if isinstance(value, str) else value

    def deconstruct(self):
        """For migrations it is the plain field: the column is the same."""
        name, _path, arguments, options = super().deconstruct()
        return name, f"django.db.models.{self.plain}", arguments, options


class RedactedCharField(_Redacted, models.CharField):
    """A CharField without addresses."""

    plain = "CharField"


class RedactedTextField(_Redacted, models.TextField):
    """A TextField without addresses."""

    plain = "TextField"
