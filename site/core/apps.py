from django.apps import AppConfig


class CoreConfig(AppConfig):
    """What every app may use."""

    name = "core"

    def ready(self):
        from . import jobs, signals  # noqa: F401
