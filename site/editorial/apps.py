from django.apps import AppConfig


class EditorialConfig(AppConfig):
    """Roles, content checks, reports and page views."""

    name = "editorial"

    def ready(self) -> None:
        from compat.django import label_groups

        from editorial import page_views, periodic, privacy, reports, roles, signal_handlers  # noqa: F401

        label_groups(roles.role_label)
