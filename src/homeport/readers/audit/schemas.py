"""What the trail looks like."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import BaseModel, Field

from homeport.eventlog.catalogue.audit import Damage
from homeport.eventlog.record import ERASED
from homeport.eventlog.seal import Seal
from homeport.eventlog.trail import Entry
from homeport.eventlog.verifier import Verified
from homeport.kernel import clock
from homeport.kernel.http.pagination import PageFields


class TrailEvent(BaseModel):
    """One event. What was said in conversations is not the trail's to tell."""

    position: int = Field(description="Its place among all events")
    stream: str = Field(examples=["account:0198a000-0000-7000-8000-000000000001"])
    seq: int = Field(description="Its place in its stream")
    kind: str
    version: int
    at: str = Field(description="RFC 3339, UTC, milliseconds")
    actor: str
    hash: str = Field(description="Of the stream's chain up to here, hex")
    erased: bool = Field(description="What it said is gone for good")
    payload: dict[str, Any] | None = Field(description="Null for events of conversations")

    @classmethod
    def of(cls, entry: Entry) -> TrailEvent:
        """The view of an entry."""
        told = entry.payload
        return cls(
            position=entry.position,
            stream=entry.stream,
            seq=entry.seq,
            kind=entry.kind,
            version=entry.version,
            at=clock.rfc3339(clock.from_milliseconds(entry.at)),
            actor=entry.actor,
            hash=entry.hash.hex(),
            erased=told == ERASED,
            payload=None if told is None or told == ERASED else orjson.loads(told),
        )


class TrailPage(PageFields):
    """Events, the newest first."""

    events: list[TrailEvent]


class SealView(BaseModel):
    """A seal, as it stands in an anchor file; digests, key and signature in hex."""

    id: int
    at: str
    position: int
    heads: int
    root: str
    previous: str
    key: str
    signature: str

    @classmethod
    def of(cls, seal: Seal) -> SealView:
        """The view of a seal."""
        return cls(
            id=seal.id,
            at=clock.rfc3339(clock.from_milliseconds(seal.at)),
            position=seal.position,
            heads=seal.heads,
            root=seal.root.hex(),
            previous=seal.previous.hex(),
            key=seal.key.hex(),
            signature=seal.signature.hex(),
        )


class TrailHead(BaseModel):
    """How far the log goes, and how far it is sealed."""

    position: int
    sealed: int = Field(description="Events up to this position are sealed")
    last_seal: SealView | None


class VerificationView(BaseModel):
    """What a node has found when it verified the whole log."""

    at: str = Field(description="RFC 3339, UTC, milliseconds")
    node: str
    position: int = Field(description="Every event up to here was verified")
    events: int
    streams: int
    seals: int
    anchors: int
    last_seal: int = Field(description="The newest seal that was verified; 0 for none")
    findings: int = Field(description="How much is wrong, at most 1,000; 0: the log is whole")
    first: list[Damage] = Field(description="The first 20 of it")

    @classmethod
    def of(cls, verified: Verified) -> VerificationView:
        """The view of a verification."""
        at = clock.rfc3339(clock.from_milliseconds(verified.at))
        return cls(at=at, **dict(verified.fact))


class AuditState(BaseModel):
    """When the log was last verified and sealed, and what was found."""

    verification: VerificationView | None = Field(description="Null when there was none yet")
    last_seal: SealView | None
