from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Periodic jobs, task queues, leases and workers."""

    name = "jobs"

    def ready(self) -> None:
        from jobs import pruning, signal_handlers  # noqa: F401
