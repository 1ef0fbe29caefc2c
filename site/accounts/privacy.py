"""Personal data of the User accounts."""

from typing import Any

from django.contrib.auth import get_user_model
from privacy.registry import Place, register
from redaction.text import AddressPattern


class Accounts(Place):
    """User accounts with their passkeys, app and recovery codes."""

    name, where, is_kept = "account", "`auth_user`, its profile, passkeys, app and recovery codes", True
    forgets = "stays: who runs the site is no reader. An administrator deletes it under *Settings › Users*"
    columns = {
        "auth.User": ["password", "username", "first_name", "last_name", "email"],
        "wagtailusers.UserProfile": ["current_time_zone", "avatar", "dismissibles"],
        "otp_totp.TOTPDevice": ["name", "key"],
        "accounts.RecoveryCode": ["digest"],
        "django_otp_webauthn.WebAuthnAttestation": ["data", "client_data_json"],
        "django_otp_webauthn.WebAuthnCredential": [
            "name",
            "credential_id",
            "public_key",
            "transports",
            "aaguid",
            "credential_id_sha256",
        ],
        "django_otp_webauthn.WebAuthnUserHandle": ["handle_hex"],
    }

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        """Return the name and start date of the accounts with this address."""
        users = get_user_model().objects.filter(email__iexact=pattern.email)
        return [
            {"name": user.get_full_name() or user.get_username(), "joined": user.date_joined.isoformat()}
            for user in users
        ]

    def forget(self, pattern: AddressPattern) -> int:
        """Erase nothing: administrators delete accounts in the admin."""
        return 0


register(Accounts())
