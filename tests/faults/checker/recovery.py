"""After a restart: what was at work has ended or goes on, soon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from faults.checker.history import Event, Finding, History, Stream

SOON_MS = 10_000
BEGINS = {"run.started", "message.interrupted", "run.finished"}
"""With one of these, whoever takes a run up says so."""
ENDS_OF_QUESTIONS = {"approval.approved", "approval.denied", "approval.expired"}


@dataclass(frozen=True, slots=True)
class Restart:
    """A node that was gone between two moments, and was let be until a third one."""

    gone: int
    back: int
    until: float


def judge_recovery(history: History) -> Iterator[Finding]:
    """What stood still for too long after a restart."""
    for restart in restarts(history):
        for stream in history.streams.values():
            for run_id in _owed(stream, restart.gone):
                taken_up = taken_up_at(stream, run_id, restart.gone) or restart.until
                late = min(taken_up, restart.until) - restart.back
                if late > SOON_MS:
                    yield Finding("run.late", run_id, f"{late} ms after the restart")


def restarts(history: History) -> list[Restart]:
    """Each time that a node came back, with the time until the next trouble of any node."""
    found: list[Restart] = []
    troubles = sorted(n["at"] for n in history.nodes if n["how"] in {"killed", "slept", "ended"})
    gone: dict[str, int] = {}
    for node in history.nodes:
        if node["how"] in {"killed", "ended"}:
            gone[node["node"]] = node["at"]
        elif node["how"] == "ready" and node["node"] in gone:
            until = next((at for at in troubles if at > node["at"]), float("inf"))
            found.append(Restart(gone.pop(node["node"]), node["at"], until))
    return found


def taken_up_at(stream: Stream, run_id: str, gone: int) -> int | None:
    """When the run was next heard of behind `gone`; None when it never was."""
    return next(
        (
            event.at
            for event in stream.events
            if event.at >= gone and event.kind in BEGINS and event.body["run_id"] == run_id
        ),
        None,
    )


def _owed(stream: Stream, at: int) -> list[str]:
    """The run that has to go on by itself at this moment, if any: the oldest unfinished one."""
    unfinished: dict[str, set[str]] = {}
    for event in stream.events:
        if event.at < at:
            _follow(unfinished, event)
    oldest = next(iter(unfinished), None)
    return [oldest] if oldest is not None and not unfinished[oldest] else []


def _follow(unfinished: dict[str, set[str]], event: Event) -> None:
    """Notes, by run, the questions that it waits for."""
    run_id = event.body.get("run_id", "")
    if event.kind == "run.queued":
        unfinished[run_id] = set()
    elif event.kind == "run.finished":
        unfinished.pop(run_id, None)
    elif event.kind == "approval.requested" and run_id in unfinished:
        unfinished[run_id].add(event.body["approval_id"])
    elif event.kind in ENDS_OF_QUESTIONS and run_id in unfinished:
        unfinished[run_id].discard(event.body["approval_id"])
