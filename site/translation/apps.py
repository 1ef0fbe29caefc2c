from django.apps import AppConfig


class TranslationConfig(AppConfig):
    """Translation board, notifications, and stricter versions of wagtail-localize's views."""

    name = "translation"

    def ready(self) -> None:
        from compat.wagtail import guard_publishing
        from compat.wagtail_localize import show_dates_as_numbers

        from translation import privacy, publishing, signal_handlers  # noqa: F401

        guard_publishing(publishing.choose_revision)
        show_dates_as_numbers()
