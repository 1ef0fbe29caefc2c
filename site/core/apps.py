from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Base page, blocks, images, languages, navigation, and other features that all apps share."""

    name = "core"

    def ready(self) -> None:
        from compat.django import clean_char_fields
        from compat.wagtail import add_nonce_to_choosers

        from core import periodic, signal_handlers  # noqa: F401
        from core.csp import csp_nonce
        from core.html import without_control_characters

        # Invisible, from copy and paste, and invalid in XML: feeds would break. Neither Django nor Wagtail has a setting for this.
        clean_char_fields(without_control_characters)
        add_nonce_to_choosers(csp_nonce)
