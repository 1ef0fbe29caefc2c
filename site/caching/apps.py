from django.apps import AppConfig


class CachingConfig(AppConfig):
    """Whole pages cached for anonymous readers, here and in a CDN."""

    name = "caching"
