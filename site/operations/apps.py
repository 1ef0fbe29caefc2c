from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """System status, logs, metrics, alerts and backups."""

    name = "operations"

    def ready(self) -> None:
        from operations import periodic, privacy, signal_handlers  # noqa: F401
