"""What a history has seen, in figures: a fault that never struck proves nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from faults.checker.history import History
from faults.checker.recovery import restarts, taken_up_at
from faults.checker.requests import ACCEPTED


def figures(history: History) -> dict[str, Any]:
    """Counts of what happened."""
    requests = list(history.requests.values())
    made = {e.body["message_id"] for e in history.of_kind("message.submitted")}
    acknowledged = {
        r.body["message_id"] for r in requests if r.does == "say" and r.status == ACCEPTED["say"]
    }
    frames = Counter(f["kind"] for c in history.connections.values() for _, f in c.frames)
    results = Counter(e.body["status"] for e in history.of_kind("tool.finished"))
    cut = Counter(e.body["reason"] for e in history.of_kind("message.interrupted"))
    points = Counter(n.get("point", "") for n in history.nodes if n["how"] == "killed")
    return {
        "kills": points.total(),
        "kills_at": dict(sorted(points.items())),
        "requests": len(requests),
        "acknowledged": sum(r.status == ACCEPTED[r.does] for r in requests),
        "answers_lost": sum(r.status is None for r in requests),
        "messages": len(made),
        "messages_acknowledged": len(acknowledged),
        "events": sum(len(s.events) for s in history.streams.values()),
        "sessions": sum(name.startswith("session:") for name in history.streams),
        "readers": len({c.reader for c in history.connections.values()}),
        "connections": len(history.connections),
        "connections_by": dict(Counter(c.transport for c in history.connections.values())),
        "frames": frames.total(),
        "resets": frames["message.reset"],
        "drained": frames["server.draining"],
        "runs": dict(Counter(e.body["status"] for e in history.of_kind("run.finished"))),
        "taken_over": sum(e.body["epoch"] > 1 for e in history.of_kind("run.started")),
        "slowest_take_up_ms": _slowest(history),
        "messages_cut": dict(cut),
        "tool_results": dict(results),
        "effects": len(history.effects),
        "questions": len(history.of_kind("approval.requested")),
        "compactions": len(history.of_kind("context.compacted")),
    }


def _slowest(history: History) -> int:
    """Milliseconds from a restart to the last take-up of what had been at work."""
    slowest = 0
    for restart in restarts(history):
        for stream in history.streams.values():
            begun = {
                e.body["run_id"] for e in stream.events if _at_work(e.kind, e.at, restart.gone)
            }
            over = {
                e.body["run_id"]
                for e in stream.events
                if e.kind == "run.finished" and e.at < restart.gone
            }
            for run_id in begun - over:
                at = taken_up_at(stream, run_id, restart.gone)
                if at is not None and at < restart.until:
                    slowest = max(slowest, at - restart.back)
    return slowest


def _at_work(kind: str, at: int, gone: int) -> bool:
    return kind == "run.started" and at < gone
