"""Privacy declarations: news hold no personal data of readers (privacy/registry.py)."""

from privacy.places import PUBLISHED
from privacy.registry import declare

declare(
    PUBLISHED,
    {"news.NewsIndexPage": ["introduction"], "news.ArticlePage": ["introduction", "lead_image", "source", "body"]},
)
