from django.apps import AppConfig


class TranslationConfig(AppConfig):
    """Translation board, notifications, and stricter versions of wagtail-localize's views."""

    name = "translation"

    def ready(self) -> None:
        from translation import privacy, signal_handlers  # noqa: F401
