from django.apps import AppConfig


class SearchConfig(AppConfig):
    """Full-text search of the site."""

    name = "search"
