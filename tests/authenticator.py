"""A passkey device in software: answers what the server asks for as a browser does (WebAuthn level 3, sections 6 and 7).

The fields of `Device` and the arguments of its methods are what a test bends: another origin, no verification of the person, an old counter.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40  # flags of the authenticator data


@dataclass
class Device:
    """An authenticator with one passkey, in a browser at `origin`."""

    origin: str = "http://localhost:8000"
    rp_id: str = ""  # empty: the one that the server names
    flags: int = PRESENT | VERIFIED
    counter: int = 0
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    user_handle: bytes | None = None

    def create(self, options):
        """The answer to `navigator.credentials.create()`, as JSON."""
        self.user_handle = base64url_to_bytes(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(public)
        data = self._data(options["rp"]["id"], self.flags | ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        response = {"attestationObject": bytes_to_base64url(attestation), "transports": ["internal"]}
        return self._answer("webauthn.create", options, response)

    def get(self, options):
        """The answer to `navigator.credentials.get()`, as JSON."""
        self.counter += 1
        data = self._data(options["rpId"], self.flags)
        client = self._client_data("webauthn.get", options)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        handle = {"userHandle": bytes_to_base64url(self.user_handle)} if self.user_handle else {}
        response = {"authenticatorData": bytes_to_base64url(data), "signature": bytes_to_base64url(signature), **handle}
        return self._answer("webauthn.get", options, response)

    def _data(self, rp_id, flags):
        rp_id = self.rp_id or rp_id
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _client_data(self, kind, options):
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _answer(self, kind, options, response):
        name = bytes_to_base64url(self.credential_id)
        response = {"clientDataJSON": bytes_to_base64url(self._client_data(kind, options)), **response}
        answer = {"id": name, "rawId": name, "type": "public-key", "clientExtensionResults": {}, "response": response}
        return json.dumps(answer)
