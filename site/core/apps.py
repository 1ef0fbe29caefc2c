from django.apps import AppConfig


class CoreConfig(AppConfig):
    """What every app may use."""

    name = "core"

    def ready(self):
        from core import csp, forms, periodic, signal_handlers  # noqa: F401

        forms.drop_control_characters()
        csp.mark_choosers()
