"""Facts of the log about itself."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from homeport.eventlog.catalogue.base import Event


class Damage(BaseModel):
    """What was found, as `homeport audit verify` tells it; no stream where it is about seals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    stream: str | None = None
    seq: int
    detail: str


class AuditVerified(Event):
    """A node has verified the whole log. On the stream `audit`.

    Up to `position`, and up to `last_seal`. `findings` counts what is wrong (1,000 at most), and
    `first` names the first 20 of it.
    """

    kind: ClassVar[str] = "audit.verified"

    node: str
    position: int
    events: int
    streams: int
    seals: int
    anchors: int
    last_seal: int
    findings: int
    first: list[Damage]
