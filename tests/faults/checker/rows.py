"""The tables beside the log: each row says what the log says, for both are committed together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from faults.checker.history import Finding, History, Json

ENDS_OF_QUESTIONS = {
    "approval.approved": "approved",
    "approval.denied": "denied",
    "approval.expired": "expired",
}
ENDS_OF_MESSAGES = {
    "message.submitted": "completed",
    "message.completed": "completed",
    "message.interrupted": "interrupted",
}
Key = tuple[str, ...]
Values = tuple[Any, ...]


def judge_rows(history: History) -> Iterator[Finding]:
    """Rows that say something else than the log, or that only one of the two has."""
    runs = {
        (e.body["run_id"],): ("finished", e.body["status"], e.seq)
        for e in history.of_kind("run.finished")
    }
    yield from _compare("run.row", runs, history.table("runs"), "id", "status outcome finished_seq")
    questions = {
        (e.body["approval_id"],): (ENDS_OF_QUESTIONS[e.kind],)
        for e in history.of_kind(*ENDS_OF_QUESTIONS)
    }
    yield from _compare("approval.row", questions, history.table("approvals"), "id", "status")
    messages = {
        (e.body["message_id"],): (ENDS_OF_MESSAGES[e.kind], e.seq)
        for e in history.of_kind(*ENDS_OF_MESSAGES)
    }
    yield from _compare("message.row", messages, history.table("messages"), "id", "status seq")
    calls: dict[Key, Values] = {}
    for event in history.of_kind("tool.started"):
        calls[event.body["run_id"], event.body["call_id"]] = (event.seq, 0)
    for event in history.of_kind("tool.finished"):
        key = event.body["run_id"], event.body["call_id"]
        calls[key] = (calls.get(key, (0, 0))[0], event.seq)
    rows = history.table("tool_calls")
    yield from _compare("tool.row", calls, rows, "run_id call_id", "started_seq finished_seq")


def _compare(
    rule: str, logged: dict[Key, Values], rows: list[Json], key: str, values: str
) -> Iterator[Finding]:
    stored: dict[Key, Values] = {
        tuple(row[name] for name in key.split()): tuple(row[name] for name in values.split())
        for row in rows
    }
    for each in sorted(logged.keys() | stored.keys()):
        if logged.get(each) != stored.get(each):
            told = f"{values}: the row says {stored.get(each)}, the log {logged.get(each)}"
            yield Finding(rule, " ".join(each), told)
