from django.apps import AppConfig


class CachingConfig(AppConfig):
    """Page cache for anonymous visitors, on this machine and in a CDN."""

    name = "caching"
