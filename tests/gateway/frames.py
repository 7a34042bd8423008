"""The frames of a chat stream as they stood on the wire, and what a client makes of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

DONE = b"[DONE]"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a chat stream as it stood on the wire."""

    id: str | None
    data: bytes

    @property
    def json(self) -> dict[str, Any]:
        return orjson.loads(self.data)

    @property
    def text(self) -> str:
        """What a plain client adds to the answer."""
        if self.data == DONE:
            return ""
        choices = self.json.get("choices", [])
        return (choices[0]["delta"].get("content") or "") if choices else ""

    @property
    def kind(self) -> str:
        """`chunk`, `error`, `[DONE]`, or the type of an agent frame."""
        if self.data == DONE:
            return "[DONE]"
        document = self.json
        return "error" if "error" in document else str(document.get("type", "chunk"))


@dataclass(slots=True)
class Heard:
    """What came of a chat stream until it ended, or was cut."""

    frames: list[Frame] = field(default_factory=list[Frame])
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def text(self) -> str:
        return "".join(frame.text for frame in self.frames)

    @property
    def kinds(self) -> list[str]:
        return [frame.kind for frame in self.frames]

    @property
    def beside(self) -> list[bytes]:
        """The agent's frames byte for byte, but for those that only say that the line is alive."""
        plain = {"chunk", "heartbeat", "error", "[DONE]"}
        return [frame.data for frame in self.frames if frame.kind not in plain]

    @property
    def close(self) -> list[bytes]:
        """The frames from the end of the text on."""
        return [f.data for f in self.frames if f.kind == "[DONE]" or not _goes_on(f)]

    @property
    def last_id(self) -> str:
        """What a client would come back with."""
        return [frame.id for frame in self.frames if frame.id is not None][-1]


def _goes_on(frame: Frame) -> bool:
    choices = frame.json.get("choices", [])
    return bool(choices) and choices[0].get("finish_reason") is None


def since(heard: Heard) -> dict[str, str]:
    """The header with which a client comes back that has heard so much."""
    return {"Last-Event-ID": heard.last_id}


async def frames_of(answer: aiohttp.ClientResponse) -> AsyncIterator[Frame]:
    """The frames of a streamed answer, until it ends."""
    rest = b""
    async for piece in answer.content.iter_any():
        *blocks, rest = (rest + piece).split(b"\n\n")
        for block in blocks:
            yield parse(block)
    assert not rest


def parse(block: bytes) -> Frame:
    """A frame without the empty line that ends it: an id or none, and one line of data."""
    assert b"\r" not in block
    lines = block.split(b"\n")
    assert lines[-1].startswith(b"data: ")
    assert len(lines) <= 2
    id_ = None
    if len(lines) == 2:
        assert lines[0].startswith(b"id: ")
        id_ = lines[0].removeprefix(b"id: ").decode()
    return Frame(id_, lines[-1].removeprefix(b"data: "))
