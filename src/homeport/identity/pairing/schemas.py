"""What travels while a device is paired."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints

from homeport.identity.names import DeviceName
from homeport.identity.pairing.models import Pairing
from homeport.identity.pairing.service import Decision
from homeport.identity.schemas import Body, Timestamp, TokenText

UserCodeText = Annotated[str, StringConstraints(min_length=1, max_length=32)]
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class AuthorizeBody(Body):
    """A device that asks to be let in; `client_id` is what it calls itself."""

    client_id: DeviceName = ""
    scope: str = Field("", max_length=1_000)


class DeviceTokenBody(Body):
    """The device's question what has become of it."""

    device_code: TokenText
    grant_type: Literal["urn:ietf:params:oauth:grant-type:device_code"] | None = None
    client_id: str | None = None


class UserCodeBody(Body):
    """The code that a device shows."""

    user_code: UserCodeText


class DecisionBody(UserCodeBody):
    """Whether the device that shows the code is let in."""

    decision: Decision = "approve"


class AuthorizeView(BaseModel):
    """What the device does next: show the code and the address, and ask every `interval` s."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class PairingView(BaseModel):
    """A device that asks to be let in: compare it with the one in your hand."""

    device_name: str
    address: str | None
    created_at: Timestamp
    expires_at: Timestamp

    @classmethod
    def of(cls, asked: Pairing) -> Self:
        """The pairing as it travels."""
        return cls(
            device_name=asked.device_name,
            address=asked.address,
            created_at=asked.created_at,
            expires_at=asked.expires_at,
        )


class DecidedView(PairingView):
    """A device and what was decided about it."""

    decision: Decision
