from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Signing in to the admin, sessions and passwords."""

    name = "accounts"

    def ready(self):
        from accounts import periodic, privacy  # noqa: F401
