from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NewsletterConfig(AppConfig):
    """Subscribers, editions and their sending."""

    name = "newsletter"
    verbose_name = _("Newsletter")

    def ready(self) -> None:
        from newsletter import operations, tasks  # noqa: F401
        from newsletter.feedback import webhooks  # noqa: F401
        from newsletter.subscribers import privacy  # noqa: F401
