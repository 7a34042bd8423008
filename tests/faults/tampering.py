"""Histories that are not good any more: each function breaks one promise, and names it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from homeport.eventlog.envelope import GENESIS, Header, digest, link

Json = dict[str, Any]
GOLDEN = Path(__file__).with_name("golden") / "history.jsonl"


class Lines:
    """The lines of a good history, to be made a bad one."""

    def __init__(self) -> None:
        self.all: list[Json] = [orjson.loads(line) for line in GOLDEN.read_bytes().splitlines()]

    def of(self, what: str, **members: Any) -> list[Json]:
        """The lines of a sort with these members."""
        return [e for e in self.all if e["what"] == what and members.items() <= e.items()]

    def frames(self, kind: str, **members: Any) -> list[Json]:
        """The lines with frames of a kind."""
        wanted = {"kind": kind, **members}
        return [e for e in self.of("frame") if wanted.items() <= e["frame"].items()]

    def events(self, kind: str) -> list[Json]:
        """The lines with events of a kind."""
        return self.of("event", kind=kind)

    def drop(self, line: Json) -> None:
        """It was never there."""
        self.all.remove(line)

    def repeat(self, line: Json) -> None:
        """It is there twice, one behind the other."""
        self.all.insert(self.all.index(line), copy.deepcopy(line))

    def swap(self, one: Json, other: Json, member: str) -> None:
        """Each has the other's."""
        one[member], other[member] = other[member], one[member]

    def append(self, event: Json, **members: Any) -> None:
        """One more event at the end of its stream, with another position."""
        stream = self.of("event", stream=event["stream"])
        positions = [line["position"] for line in self.of("event")]
        new = copy.deepcopy(event) | {"seq": len(stream) + 1, "position": max(positions) + 1}
        self.all.insert(self.all.index(stream[-1]) + 1, new | members)

    def link(self) -> None:
        """Makes every chain and every head what they must be for the events that are there."""
        for stream in self.of("stream"):
            previous, seq = GENESIS, 0
            for event in self.of("event", stream=stream["name"]):
                seq = event["seq"]
                names = ("stream", "seq", "kind", "version", "at", "actor")
                header = Header(**{name: event[name] for name in names})
                kept = digest(bytes.fromhex(event["salt"]), event["payload"].encode())
                previous = link(previous, header, kept)
                event["payload_digest"], event["hash"] = kept.hex(), previous.hex()
            stream["head_seq"], stream["head_hash"] = seq, previous.hex()

    def write(self, path: Path) -> None:
        """The file."""
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in self.all))


def body(event: Json) -> Json:
    """The payload of an event's line."""
    return orjson.loads(event["payload"])


def rewrite(event: Json, **members: Any) -> None:
    """Other members in the payload."""
    event["payload"] = orjson.dumps(body(event) | members).decode()


@dataclass(frozen=True, slots=True)
class Tampering:
    """A way to break a promise.

    Attributes:
        also: What else is broken by it, inevitably.
    """

    rule: str
    also: frozenset[str]
    do: Callable[[Lines], None]

    @property
    def name(self) -> str:
        return f"{self.rule}-{self.do.__name__}"


TAMPERINGS: list[Tampering] = []


def breaks(rule: str, *also: str) -> Callable[[Callable[[Lines], None]], Callable[[Lines], None]]:
    """Enters a function that breaks `rule`."""

    def enter(do: Callable[[Lines], None]) -> Callable[[Lines], None]:
        TAMPERINGS.append(Tampering(rule, frozenset(also), do))
        return do

    return enter
