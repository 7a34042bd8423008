"""What the demo was shown, checked against what the log says that it holds."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

from homeport.cli.demo.client import Frame

Address = tuple[str, int]
"""A message and the number of one of its blocks."""


class Record:
    """Everything that came over the lines of one session, however often they were cut.

    Attributes:
        events: Stored events in the order in which they came.
        cursor: Where the next line goes on.
    """

    def __init__(self) -> None:
        self.events: list[Frame] = []
        self.cursor = "0"
        self._texts: defaultdict[Address, str] = defaultdict(str)
        self._whole = 0
        self._faults: list[str] = []

    def take(self, frame: Frame) -> None:
        """Adds the next frame."""
        self.cursor = frame["cursor"]
        match frame["kind"]:
            case "message.delta":
                self._add_text(frame)
            case "message.reset":
                for address in [a for a in self._texts if a[0] == frame["message_id"]]:
                    del self._texts[address]
            case "block.started" | "stream.heartbeat" | "server.draining":
                pass
            case _:
                self._add_event(frame)

    def differences(self, unbroken: Record) -> list[str]:
        """What a reader without any cut has seen otherwise; empty when nothing."""
        found = [*self._faults, *unbroken.faults]
        if _without_cursors(self.events) != _without_cursors(unbroken.events):
            found.append("the events are not those of an unbroken reading")
        if self._texts != unbroken.texts:
            found.append("the text is not that of an unbroken reading")
        return found

    @property
    def faults(self) -> list[str]:
        """Where the lines contradicted themselves: a gap in a text, a digest that is not its."""
        return self._faults

    @property
    def texts(self) -> dict[Address, str]:
        """The text of every block."""
        return self._texts

    @property
    def blocks(self) -> int:
        """Blocks of text whose SHA-256 is the one that the log states."""
        return self._whole

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind."""
        return [event for event in self.events if event["kind"] == kind]

    def _add_text(self, frame: Frame) -> None:
        address = (frame["message_id"], frame["block"])
        if frame["offset"] != len(self._texts[address]):
            self._faults.append(f"text is missing before {frame['cursor']}")
        self._texts[address] += frame["text"]

    def _add_event(self, frame: Frame) -> None:
        self.events.append(frame)
        if frame["kind"] in {"message.completed", "message.interrupted"}:
            for number, block in enumerate(frame["blocks"]):
                text = self._texts[frame["message_id"], number]
                if hashlib.sha256(text.encode()).hexdigest() == block["sha256"]:
                    self._whole += 1
                else:
                    self._faults.append(f"block {number} before {frame['cursor']} differs")


def _without_cursors(events: list[Frame]) -> list[Frame]:
    """A cursor also says how much of an open message its reader has; the rest is the event."""
    return [{name: event[name] for name in event if name != "cursor"} for event in events]
