"""A stored event as readers get it."""

from __future__ import annotations

from dataclasses import dataclass

from homeport.eventlog.catalogue.base import Event, decode


@dataclass(frozen=True, slots=True)
class Record:
    """One committed event.

    Attributes:
        at: Milliseconds since 1970, UTC.
        actor: Who did it: `user:<id>`, `run:<id>`, `system`.
        bounds: `opens` or `closes` when it bounds a streamed message.
        payload: The stored JSON object.
    """

    stream: str
    seq: int
    kind: str
    version: int
    at: int
    actor: str
    bounds: str | None
    payload: bytes

    def event(self) -> Event:
        """The payload as its class of the catalogue."""
        return decode(self.kind, self.version, self.payload)
