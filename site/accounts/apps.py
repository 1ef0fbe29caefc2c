from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Signing in to the admin: passwords, passkeys, the second step and sessions."""

    name = "accounts"

    def ready(self) -> None:
        """Register the periodic jobs, the personal data and the signal handlers."""
        from accounts import periodic, privacy, signal_handlers  # noqa: F401
