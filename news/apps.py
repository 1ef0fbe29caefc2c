from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NewsConfig(AppConfig):
    """News."""

    name = "news"
    verbose_name = _("News")

    def ready(self) -> None:
        from . import privacy  # noqa: F401
