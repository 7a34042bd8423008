"""What the stream's routes answer, for the published contract; the bytes are made elsewhere."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FrameDocument(BaseModel):
    """One thing that happened. Its other members depend on the kind: see docs/events.md."""

    model_config = ConfigDict(extra="allow")

    cursor: str = Field(description="Where a reader stands after it; opaque, echo it to resume")
    kind: str = Field(examples=["message.delta"])
    at: str = Field(description="RFC 3339, UTC, milliseconds")


class Frames(BaseModel):
    """The answer of the long-poll."""

    events: list[FrameDocument]
    cursor: str = Field(description="What to ask `after` next time")
