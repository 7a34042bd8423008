"""A passkey in software (WebAuthn level 3): makes ES256 credentials and signs, also wrongly."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import encode_cbor

PRESENT: Final = 0x01
VERIFIED: Final = 0x04
ATTESTED: Final = 0x40
OWNER_SHOWN: Final = PRESENT | VERIFIED


def text(raw: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(encoded: str) -> bytes:
    """The bytes behind base64url without padding."""
    return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


@dataclass(slots=True)
class Authenticator:
    """One credential. What a page and a phone would fill in can be overruled, one by one.

    Attributes:
        origin: The page that the browser says it shows.
        count: The next signature counter.
    """

    origin: str
    count: int = 1
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    user_handle: bytes = b""

    def create(self, options: dict[str, Any], **wrong: Any) -> dict[str, Any]:
        """The answer to `navigator.credentials.create()`."""
        self.user_handle = raw(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        cose = {
            1: 2,  # kty: EC2
            3: -7,  # alg: ES256
            -1: 1,  # crv: P-256
            -2: numbers.x.to_bytes(32, "big"),
            -3: numbers.y.to_bytes(32, "big"),
        }
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        data = self._data(options["rp"]["id"], ATTESTED, wrong) + attested + encode_cbor(cose)
        statement: dict[str, Any] = {"fmt": "none", "attStmt": {}, "authData": data}
        return self._credential(
            {
                "clientDataJSON": self._client("webauthn.create", options, wrong),
                "attestationObject": text(encode_cbor(statement)),
            }
        )

    def get(self, options: dict[str, Any], **wrong: Any) -> dict[str, Any]:
        """The answer to `navigator.credentials.get()`."""
        client = self._client("webauthn.get", options, wrong)
        data = self._data(options["rpId"], 0, wrong)
        signed = data + hashlib.sha256(raw(client)).digest()
        response = {
            "clientDataJSON": client,
            "authenticatorData": text(data),
            "signature": text(self.key.sign(signed, ECDSA(SHA256()))),
            "userHandle": text(wrong.get("user_handle", self.user_handle)),
        }
        return self._credential(response, wrong.get("credential_id"))

    def _data(self, rp_id: str, flags: int, wrong: dict[str, Any]) -> bytes:
        party = hashlib.sha256(wrong.get("rp_id", rp_id).encode()).digest()
        count, self.count = wrong.get("count", self.count), self.count + 1
        shown = flags | wrong.get("flags", OWNER_SHOWN)
        return party + bytes([shown]) + count.to_bytes(4, "big")

    def _client(self, kind: str, options: dict[str, Any], wrong: dict[str, Any]) -> str:
        said = {
            "type": wrong.get("kind", kind),
            "challenge": wrong.get("challenge", options["challenge"]),
            "origin": wrong.get("origin", self.origin),
            "crossOrigin": False,
        }
        return text(json.dumps(said).encode())

    def _credential(
        self, response: dict[str, str], credential_id: bytes | None = None
    ) -> dict[str, Any]:
        named = text(credential_id or self.credential_id)
        return {
            "id": named,
            "rawId": named,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }
