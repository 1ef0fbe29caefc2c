"""Model fields that redact e-mail addresses."""

from collections.abc import Sequence
from typing import Any

from django.db import models

from redaction.text import redact


class _Redacted(models.Field):
    """Mixin that redacts values in `get_prep_value`, so in `save`, `update` and `bulk_create` alike."""

    plain: str  # the name of the plain field

    def get_prep_value(self, value: object) -> Any:
        value = super().get_prep_value(value)
        return redact(value) if isinstance(value, str) else value

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """Deconstruct to the plain field, so that migrations do not depend on this module."""
        name, _path, arguments, options = super().deconstruct()
        return name, f"django.db.models.{self.plain}", arguments, options


class RedactedCharField(_Redacted, models.CharField):
    """CharField that redacts e-mail addresses."""

    plain = "CharField"


class RedactedTextField(_Redacted, models.TextField):
    """TextField that redacts e-mail addresses."""

    plain = "TextField"
