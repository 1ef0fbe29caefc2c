from django.apps import AppConfig


class CoreConfig(AppConfig):
    """What every app may use."""

    name = "core"

    def ready(self):
        from . import jobs, nonces, places, signals  # noqa: F401

        nonces.mark_choosers()
