"""Recovery codes."""

from django.conf import settings
from django.db import models


class RecoveryCode(models.Model):
    """A code that replaces the second step once. Only its hash is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.digest[:6]
