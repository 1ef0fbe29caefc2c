from django.apps import AppConfig


class EditorialConfig(AppConfig):
    """Roles, content checks, reports and page views."""

    name = "editorial"

    def ready(self) -> None:
        from editorial import page_views, periodic, privacy, reports, signal_handlers  # noqa: F401
