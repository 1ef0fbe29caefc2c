from django.apps import AppConfig


class CoreConfig(AppConfig):
    """What every app may use."""

    name = "core"

    def ready(self):
        from . import forms, jobs, nonces, places, signals  # noqa: F401

        forms.drop_control_characters()
        nonces.mark_choosers()
