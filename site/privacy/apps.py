from django.apps import AppConfig


class PrivacyConfig(AppConfig):
    """Where personal data is, its export and its erasure."""

    name = "privacy"

    def ready(self):
        from privacy import places  # noqa: F401
