"""A stored event as readers get it."""

from __future__ import annotations

from dataclasses import dataclass

from homeport.eventlog.catalogue.base import Event, decode
from homeport.eventlog.errors import PayloadErased

ERASED = b'{"erased":true}'
"""What stands in the place of a payload that was erased; no fact of the catalogue looks so."""


@dataclass(frozen=True, slots=True)
class Record:
    """One committed event.

    Attributes:
        at: Milliseconds since 1970, UTC.
        actor: Who did it: `user:<id>`, `run:<id>`, `system`.
        bounds: `opens` or `closes` when it bounds a streamed message.
        payload: The stored JSON object; `ERASED` when there is none any more.
    """

    stream: str
    seq: int
    kind: str
    version: int
    at: int
    actor: str
    bounds: str | None
    payload: bytes

    @property
    def erased(self) -> bool:
        """Whether what the event said is gone for good."""
        return self.payload == ERASED

    def event(self) -> Event:
        """The payload as its class of the catalogue.

        Raises:
            PayloadErased: What it said is gone.
        """
        if self.erased:
            raise PayloadErased(f"What event {self.seq} of {self.stream} said was erased.")
        return decode(self.kind, self.version, self.payload)
