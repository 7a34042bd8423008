"""What travels: bodies and answers of the routes of passkeys."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, StringConstraints

from homeport.identity.passkeys.models import Passkey
from homeport.identity.schemas import Body, Timestamp

PasskeyName = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=100, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]


class RegisterPasskeyBody(Body):
    """What `navigator.credentials.create()` gave (`toJSON()`), and a name for people."""

    credential: dict[str, Any]
    name: PasskeyName = "passkey"


class LoginPasskeyBody(Body):
    """What `navigator.credentials.get()` gave (`toJSON()`)."""

    credential: dict[str, Any]


class PasskeyStepUpBody(LoginPasskeyBody):
    """A passkey shown once more."""

    method: Literal["passkey"]


class PasskeyOptionsView(BaseModel):
    """`publicKey` of `navigator.credentials`: give it to `parse...OptionsFromJSON()`."""

    publicKey: dict[str, Any]  # noqa: N815 - WebAuthn's own name


class PasskeyView(BaseModel):
    """A passkey."""

    id: str
    name: str
    created_at: Timestamp
    last_used_at: Timestamp | None

    @classmethod
    def of(cls, passkey: Passkey) -> Self:
        """The passkey as it travels."""
        return cls(
            id=passkey.id,
            name=passkey.name,
            created_at=passkey.created_at,
            last_used_at=passkey.last_used_at,
        )


class NewPasskeyView(PasskeyView):
    """A new passkey; with the first second factor also recovery codes, shown this once."""

    recovery_codes: list[str] | None


class PasskeysView(BaseModel):
    """All passkeys of the caller: twenty at most, so there are no pages."""

    passkeys: list[PasskeyView]
    total: int
