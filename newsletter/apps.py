from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NewsletterConfig(AppConfig):
    """Subscribers, editions and their sending."""

    name = "newsletter"
    verbose_name = _("Newsletter")

    def ready(self):
        from . import operations, privacy, tasks, webhooks  # noqa: F401
