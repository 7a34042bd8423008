"""Where a request comes from: shown in the list of devices and kept with every sign-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import HTTPConnection

from homeport.kernel.network import network_of

_AGENT_LENGTH: Final = 200
_ADDRESS_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Visit:
    """The address, and what the client calls itself; both may be unknown."""

    address: str | None
    user_agent: str | None

    @property
    def device_name(self) -> str:
        """What the device is called in the list."""
        return self.user_agent or "unnamed device"

    @property
    def network(self) -> str | None:
        """Whose address it is: what waits is counted per network."""
        return None if self.address is None else network_of(self.address)


async def _visit(connection: HTTPConnection) -> Visit:
    agent = connection.headers.get("user-agent", "")
    printable = "".join(character for character in agent if character.isprintable()).strip()
    client = connection.client
    return Visit(
        address=client.host[:_ADDRESS_LENGTH] if client is not None else None,
        user_agent=printable[:_AGENT_LENGTH] or None,
    )


VisitOf = Annotated[Visit, Depends(_visit)]
