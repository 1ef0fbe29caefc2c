"""News hold no personal data of readers (core/privacy.py)."""

from core.places import PUBLISHED
from core.privacy import declare

declare(
    PUBLISHED,
    {"news.NewsIndexPage": ["introduction"], "news.ArticlePage": ["introduction", "lead_image", "source", "body"]},
)
