from django.apps import AppConfig
from wagtail.users import apps as wagtail_users


class AccountsConfig(AppConfig):
    """Signing in to the admin: passwords, passkeys, the second step and sessions."""

    name = "accounts"
    default = True

    def ready(self) -> None:
        """Register the periodic jobs, the personal data and the signal handlers."""
        from accounts import periodic, privacy, signal_handlers  # noqa: F401


class UsersConfig(wagtail_users.WagtailUsersAppConfig):
    """Wagtail's app of users, with our pages of users and groups."""

    group_viewset = "accounts.users.GroupViewSet"
    user_viewset = "accounts.users.UserViewSet"
