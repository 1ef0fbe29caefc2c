"""Declares that the tables of this app hold no personal data but what was published."""

from privacy.places import PUBLISHED
from privacy.registry import declare

declare(
    PUBLISHED,
    {
        "translation.KnownOriginal": ["content", "decisions", "problem"],
        "translation.GlossaryTerm": ["note"],
        "translation.GlossaryWording": ["text"],
    },
)
