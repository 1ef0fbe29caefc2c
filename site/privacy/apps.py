from django.apps import AppConfig


class PrivacyConfig(AppConfig):
    """Registry, export and erasure of personal data."""

    name = "privacy"

    def ready(self) -> None:
        from privacy import places  # noqa: F401
