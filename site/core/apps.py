from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Base page, blocks, images, languages, navigation, and other features that all apps share."""

    name = "core"

    def ready(self) -> None:
        from core import csp, forms, periodic, signal_handlers  # noqa: F401

        forms.drop_control_characters()
        csp.add_nonce_to_choosers()
