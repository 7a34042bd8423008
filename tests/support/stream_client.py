"""A client of a stream as API.md 5 tells one to be: it echoes cursors and believes no gap."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import orjson

from homeport.readers.stream.frame import Frame
from homeport.readers.stream.reader import Reader

LIVE = {
    "block.started",
    "message.delta",
    "message.reset",
    "stream.heartbeat",
    "server.draining",
    "stream.ended",
}


class StreamClient:
    """What a client knows after the frames that it got.

    Attributes:
        texts: By message, the text of its blocks.
        events: The stored events, without cursors.
        resets: How often it was told to empty a message.
    """

    def __init__(self) -> None:
        self.cursor = "0"
        self.texts: dict[str, list[str]] = {}
        self.types: dict[str, list[str]] = {}
        self.events: list[dict[str, Any]] = []
        self.resets = 0

    def copy(self) -> StreamClient:
        """Another client that knows the same."""
        return copy.deepcopy(self)

    def knows(self) -> object:
        """What two clients of one stream must agree on."""
        return self.texts, self.types, self.events

    def apply(self, frame: dict[str, Any]) -> None:
        """Takes one frame in."""
        kind, message = frame["kind"], frame.get("message_id", "")
        if kind == "block.started":
            blocks = self.texts[message]
            assert frame["block"] == len(blocks), "blocks come in order, none twice"
            blocks.append("")
            self.types[message].append(frame["type"])
        elif kind == "message.delta":
            blocks = self.texts[message]
            assert frame["block"] == len(blocks) - 1, "text is of the last block"
            assert frame["offset"] == len(blocks[-1]), "text comes without gap or overlap"
            assert frame["text"]
            blocks[-1] += frame["text"]
        elif kind == "message.reset":
            self.texts[message], self.types[message] = [], []
            self.resets += 1
        elif kind not in LIVE:
            self._event(frame, message)
        self.cursor = frame["cursor"]

    def _event(self, frame: dict[str, Any], message: str) -> None:
        self.events.append({key: value for key, value in frame.items() if key != "cursor"})
        if frame.get("erased"):
            return
        if frame["kind"] == "message.started":
            self.texts[message], self.types[message] = [], []
        if kind_closes(frame["kind"]):
            assert frame["cursor"].isdecimal(), "behind a close one stands in no message"
            blocks = self.texts[message]
            told = [(block["length"], block["sha256"]) for block in frame["blocks"]]
            have = [(len(text), hashlib.sha256(text.encode()).hexdigest()) for text in blocks]
            assert have == told, "a closed message has been sent whole"

    async def read(self, reader: Reader, *, at_most: int | None = None) -> bool:
        """Applies what is ready; True when it was cut after `at_most` frames."""
        count = 0
        while frames := await reader.ready():
            for frame in frames:
                if count == at_most:
                    return True
                self.apply(parsed(frame))
                count += 1
        return False


def kind_closes(kind: str) -> bool:
    """Whether an event of this kind closes a message."""
    return kind in {"message.completed", "message.interrupted"}


def parsed(frame: Frame) -> dict[str, Any]:
    """The JSON of a frame."""
    return orjson.loads(frame.data)
