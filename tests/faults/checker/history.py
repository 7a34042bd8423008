"""A history as it was written: one JSON object a line, in the order in which it was seen.

| `what` | members |
|---|---|
| `node` | `node` `how`: `ready`, `killed`, `slept`, `woke`, `ended`; `point`, `code` |
| `asked` | `id` `does`: `start`, `say`, `answer`, `stop`; `thing` (what a repeat repeats) and the request |
| `answered` | `id` `status` `body` |
| `lost` | `id` `why`: nobody knows whether it was taken |
| `opened` | `connection` `reader` `session_id` `transport` `node` `after` |
| `frame` | `connection` `frame` |
| `closed` | `connection` `why` |
| `replied` | `reply` `blocks`: what the model said, whole |
| `stream` | `name` `head_seq` `head_hash` |
| `event` | a row of the log: `stream` `position` `seq` ... `payload` (text) |
| `row` | `table` and its columns |
| `effect` | `call_id`: once for each time that a tool took effect |
| `done` | the history is whole |

`at` is in milliseconds since 1970, on every line. This program knows the log's format and the API's,
and shares no code with the server that it judges.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.checker.rules import RULES

Json = dict[str, Any]


class BrokenHistory(Exception):
    """The file is no whole history; nothing can be judged."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was promised and does not hold.

    Attributes:
        rule: Which promise: one of `RULES`.
        where: The stream, reader, run, call or request.
    """

    rule: str
    where: str
    told: str

    def __post_init__(self) -> None:
        assert self.rule in RULES, self.rule

    def __str__(self) -> str:
        return f"{self.rule}  {self.where}  {self.told}"


@dataclass(slots=True)
class Event:
    """One row of the log."""

    stream: str
    position: int
    seq: int
    kind: str
    version: int
    at: int
    actor: str
    salt: str
    payload: str
    payload_digest: str
    hash: str
    body: Json = field(default_factory=dict[str, Any])

    @property
    def closes(self) -> bool:
        """Whether it closes a streamed message."""
        return self.kind in {"message.completed", "message.interrupted"}


@dataclass(slots=True)
class Stream:
    """One stream with its head, as the database says."""

    name: str
    head_seq: int
    head_hash: str
    events: list[Event] = field(default_factory=list[Event])


@dataclass(slots=True)
class Request:
    """One request, sent once; `status` is None where the answer was lost."""

    line: int
    does: str
    thing: str
    sent: Json
    answered: int = 0
    status: int | None = None
    body: Json = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class Connection:
    """One connection of a reader; frames come with the line on which they were noted."""

    number: int
    reader: str
    session_id: str
    transport: str
    node: str
    after: str
    frames: list[tuple[int, Json]] = field(default_factory=list[tuple[int, Json]])


@dataclass(slots=True)
class History:
    """Everything of one file."""

    nodes: list[Json] = field(default_factory=list[Json])
    requests: dict[int, Request] = field(default_factory=dict[int, Request])
    connections: dict[int, Connection] = field(default_factory=dict[int, Connection])
    replies: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    streams: dict[str, Stream] = field(default_factory=dict[str, Stream])
    rows: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    effects: list[str] = field(default_factory=list[str])

    def of_kind(self, *kinds: str) -> list[Event]:
        """The events of these kinds, of all streams, in each stream's order."""
        return [e for s in self.streams.values() for e in s.events if e.kind in kinds]

    def table(self, name: str) -> list[Json]:
        """The rows of a table."""
        return self.rows.get(name, [])


def read_history(path: Path) -> History:
    """The history in `path`.

    Raises:
        BrokenHistory: A line is none of a history's, or the end is missing.
    """
    history, done = History(), False
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                document = json.loads(line)
                done = done or document["what"] == "done"
                _take(history, number, document)
            except (ValueError, KeyError, TypeError) as error:
                raise BrokenHistory(f"line {number}: {error!r}") from error
    if not done:
        raise BrokenHistory("the history ends before it is whole")
    return history


def _take(history: History, number: int, line: Json) -> None:
    match line.pop("what"):
        case "node":
            history.nodes.append(line)
        case "asked":
            sent = {k: v for k, v in line.items() if k not in {"id", "does", "thing", "at"}}
            history.requests[line["id"]] = Request(number, line["does"], line["thing"], sent)
        case "answered":
            request = history.requests[line["id"]]
            request.answered, request.status = number, line["status"]
            request.body = line["body"]
        case "opened":
            members = {k: line[k] for k in ("reader", "session_id", "transport", "node", "after")}
            history.connections[line["connection"]] = Connection(line["connection"], **members)
        case "frame":
            history.connections[line["connection"]].frames.append((number, line["frame"]))
        case "replied":
            history.replies[line["reply"]] = line["blocks"]
        case "stream":
            name, head = line["name"], line["head_seq"]
            history.streams[name] = Stream(name, head, line["head_hash"])
        case "event":
            body = json.loads(line["payload"])
            history.streams[line["stream"]].events.append(Event(**line, body=body))
        case "row":
            history.rows.setdefault(line.pop("table"), []).append(line)
        case "effect":
            history.effects.append(line["call_id"])
        case "lost" | "closed" | "done":
            pass
        case other:
            raise ValueError(other)
