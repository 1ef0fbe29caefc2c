from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class HomeConfig(AppConfig):
    """The institution's pages and the contact form."""

    name = "home"
    verbose_name = _("Institution")

    def ready(self) -> None:
        from . import privacy, tasks  # noqa: F401
