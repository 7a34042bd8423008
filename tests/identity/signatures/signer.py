"""A client that signs its requests with an independent library (http-message-signatures)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures.algorithms import ED25519  # pyright: ignore[reportPrivateImportUsage] - its documented name
from http_message_signatures.resolvers import HTTPSignatureKeyResolver
from http_message_signatures.signatures import HTTPMessageSigner

from homeport.identity.signatures.keys import thumbprint_of
from homeport.kernel import clock

ORIGIN = "http://127.0.0.1:8000"
COVERED = ("@method", "@target-uri", "authorization")
WITH_BODY = ("content-digest", "content-type")


@dataclass
class Outgoing:
    """A request as the library wants to see it."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""


class _Resolver(HTTPSignatureKeyResolver):
    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    def resolve_private_key(self, key_id: str) -> Any:
        del key_id
        return self._private

    def resolve_public_key(self, key_id: str) -> Any:
        del key_id
        return self._private.public_key()


@dataclass
class Signer:
    """Somebody's key."""

    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    origin: str = ORIGIN

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @property
    def jwk(self) -> dict[str, str]:
        x = base64.urlsafe_b64encode(self.public).rstrip(b"=").decode()
        return {"kty": "OKP", "crv": "Ed25519", "x": x}

    @property
    def key_id(self) -> str:
        return thumbprint_of(self.public)

    def sign(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        covered: Sequence[str] | None = None,
        created: datetime | None = None,
        life: timedelta = timedelta(seconds=60),
        nonce: str | None = None,
        tag: str = "homeport-v1",
        label: str = "sig1",
        key_id: str | None = None,
    ) -> dict[str, str]:
        """All headers of the request, signed."""
        sent = dict(headers)
        if body:
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            sent |= {"Content-Digest": f"sha-256=:{digest}:", "Content-Type": "application/json"}
        message = Outgoing(method, self.origin + path, sent, body)
        began = created or clock.utc_now()
        HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=_Resolver(self.private)).sign(
            message,
            key_id=key_id or self.key_id,
            created=began,
            expires=began + life,
            nonce=nonce or secrets.token_urlsafe(16),
            tag=tag,
            label=label,
            include_alg=True,
            use_existing_digest=bool(body),
            covered_component_ids=covered or (*COVERED, *(WITH_BODY if body else ())),
        )
        return message.headers
