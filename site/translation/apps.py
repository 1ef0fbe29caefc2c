from django.apps import AppConfig


class TranslationConfig(AppConfig):
    """What is added to wagtail-localize."""

    name = "translation"

    def ready(self):
        from translation import signal_handlers  # noqa: F401
