"""What is known of the original of each translation."""

from django.db import models
from django.db.models import Exists, OuterRef, Q
from wagtail_localize.models import Translation


class KnownOriginal(models.Model):
    """The original as it was when its translation was last complete, and what has changed in it since."""

    translation = models.OneToOneField(Translation, on_delete=models.CASCADE, related_name="known_original")
    content = models.JSONField()  # see changes.snapshot()
    blocks_changed = models.BooleanField(default=False)  # blocks were added, deleted or moved since
    # [path, value before, value now] of what the translation has set by hand and the original has changed
    decisions = models.JSONField(default=list)
    problem = models.TextField(blank=True)  # why the changes could not be carried over

    def __str__(self) -> str:
        return f"KnownOriginal: {self.translation_id}"

    @property
    def needs_decision(self) -> bool:
        """Return whether a person has to decide what the translation does with a change of its original."""
        return bool(self.decisions or self.problem)

    @classmethod
    def needing_decision(cls) -> Exists:
        """Return the condition `needs_decision` for Translation queries."""
        return Exists(cls.objects.filter(~Q(decisions=[]) | ~Q(problem=""), translation=OuterRef("pk")))
