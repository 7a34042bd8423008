"""What was acknowledged: it stands in the log, as it was asked for, once, in the order of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from faults.checker.history import Event, Finding, History, Request

ACCEPTED = {"start": 201, "say": 202, "answer": 200, "stop": 200}
REFUSED = {"answer": 409, "stop": 409}
"""Somebody was first, or the run was over."""
BUSY = 503
"""Not taken, and told so; the client comes again."""


def judge_requests(history: History) -> Iterator[Finding]:
    """What was acknowledged and is not so."""
    for request in history.requests.values():
        allowed = {None, BUSY, ACCEPTED[request.does], REFUSED.get(request.does)}
        if request.status not in allowed:
            told = f"{request.status} {request.body.get('type', '')}"
            yield Finding("request.refused", request.thing, told)
    yield from _said(history)
    yield from _started(history)
    yield from _stopped(history)
    yield from _in_time(history)


def acknowledged(history: History, does: str) -> list[Request]:
    """The requests of a sort that were accepted."""
    every = history.requests.values()
    return [r for r in every if r.does == does and r.status == ACCEPTED[does]]


def _said(history: History) -> Iterator[Finding]:
    submitted = {e.body["message_id"]: e for e in history.of_kind("message.submitted")}
    queued = {e.body["run_id"] for e in history.of_kind("run.queued")}
    for request in acknowledged(history, "say"):
        answer, sent = request.body, request.sent
        event = submitted.get(answer["message_id"])
        if event is None or answer["run_id"] not in queued:
            yield Finding("request.missing", request.thing, "the log holds no such message or run")
            continue
        where = f"session:{sent['session_id']}", sent["text"], answer["run_id"]
        if (*_text(event), event.body["run_id"]) != where:
            yield Finding("request.changed", request.thing, "the log holds another message")
        if event.seq <= int(answer["cursor"]):
            yield Finding("request.changed", request.thing, "it lies before its own cursor")
    yield from _once(history, "say", ("message_id", "run_id", "cursor"))
    every = [r for r in history.requests.values() if r.does == "say"]
    asked = {(f"session:{r.sent['session_id']}", r.sent["text"]) for r in every}
    for said, count in Counter(map(_text, submitted.values())).items():
        if count > 1:
            yield Finding("request.twice", said[0], "one message was taken twice")
        if said not in asked:
            yield Finding("request.unasked", said[0], "nobody said this")


def _text(event: Event) -> tuple[str, str]:
    return event.stream, "".join(block["text"] for block in event.body["blocks"])


def _started(history: History) -> Iterator[Finding]:
    for request in acknowledged(history, "start"):
        if f"session:{request.body['id']}" not in history.streams:
            yield Finding("request.missing", request.thing, "the log holds no such session")
    yield from _once(history, "start", ("id",))
    created = Counter(event.body["name"] for event in history.of_kind("session.created"))
    for name, count in created.items():
        if count > 1:
            yield Finding("request.twice", name, "one session was made twice")


def _stopped(history: History) -> Iterator[Finding]:
    asked = {event.body["run_id"] for event in history.of_kind("run.stop_requested")}
    for request in acknowledged(history, "stop"):
        if request.thing not in asked:
            yield Finding("request.missing", request.thing, "the log holds no such wish")


def _once(history: History, does: str, members: tuple[str, ...]) -> Iterator[Finding]:
    """A request that is repeated is answered as it was answered before."""
    answers: dict[str, set[tuple[str, ...]]] = {}
    for request in acknowledged(history, does):
        answer = tuple(request.body[member] for member in members)
        answers.setdefault(request.thing, set()).add(answer)
    for thing, different in answers.items():
        if len(different) > 1:
            yield Finding("request.twice", thing, "a repeat was answered otherwise")


def _in_time(history: History) -> Iterator[Finding]:
    """What was acknowledged before another thing was first asked for lies before it."""
    made = {e.body["message_id"]: e.position for e in history.of_kind("message.submitted")}
    asked: dict[str, int] = {}
    for request in history.requests.values():
        asked.setdefault(request.thing, request.line)
    known: dict[str, tuple[int, int]] = {}
    for request in acknowledged(history, "say"):
        position = made.get(request.body["message_id"])
        if position is not None:
            known.setdefault(request.thing, (request.answered, position))
    answers = sorted(known.values(), reverse=True)
    highest = 0
    for thing in sorted(known, key=asked.__getitem__):
        while answers and answers[-1][0] < asked[thing]:
            highest = max(highest, answers.pop()[1])
        if known[thing][1] < highest:
            told = f"position {known[thing][1]} was first asked for behind {highest}"
            yield Finding("log.order", thing, told)
