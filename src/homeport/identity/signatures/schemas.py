"""What travels: signing keys."""

from __future__ import annotations

import base64
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints

from homeport.identity.schemas import Body, KeyName, Timestamp
from homeport.identity.signatures.models import RequestKey


class PublicKey(BaseModel):
    """An Ed25519 public key as a JWK (RFC 8037), without anything else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]

    @property
    def raw(self) -> bytes:
        """Its 32 bytes."""
        return base64.urlsafe_b64decode(self.x + "=")


class SigningKeyBody(Body):
    """A new signing key; the request itself is signed with it."""

    name: KeyName
    public_key: PublicKey


class SigningKeyView(BaseModel):
    """A signing key; `keyid` is what its signatures name."""

    id: str
    name: str
    keyid: str
    created_at: Timestamp
    last_used_at: Timestamp | None

    @classmethod
    def of(cls, key: RequestKey) -> Self:
        """The key as it travels."""
        return cls(
            id=key.id,
            name=key.name,
            keyid=key.thumbprint,
            created_at=key.created_at,
            last_used_at=key.last_used_at,
        )


class SigningKeyList(BaseModel):
    """All signing keys of an account."""

    signing_keys: list[SigningKeyView]
    total: int
