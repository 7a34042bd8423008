"""Runs, tool calls and approvals: each once, in turn, with one end, and taken up after a crash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from faults.checker.history import Event, Finding, History, Json, Stream

DECIDED = {"approval.approved": "approved", "approval.denied": "denied"}
DECIDED_ANYHOW = {**DECIDED, "approval.expired": "expired"}
NEVER_MADE = {"denied", "expired", "refused"}


def judge_runs(history: History) -> Iterator[Finding]:
    """What went wrong with what was to be done."""
    for stream in history.streams.values():
        yield from _lives(stream)
    yield from _ends(history)
    yield from _calls(history)
    yield from _effects(history)
    yield from _approvals(history)
    yield from _told(history)
    yield from _answers_of_the_model(history)


def _lives(stream: Stream) -> Iterator[Finding]:
    """One run at work in a session, and its epochs grow."""
    at_work: str | None = None
    epochs: dict[str, int] = {}
    for event in stream.events:
        run_id = event.body.get("run_id", "")
        if event.kind == "run.started":
            if at_work not in {None, run_id}:
                yield Finding("run.two-at-work", run_id, f"{at_work} is at work, too")
            if event.body["epoch"] <= epochs.get(run_id, 0):
                told = f"epoch {event.body['epoch']} behind {epochs[run_id]}"
                yield Finding("run.epoch", run_id, told)
            at_work, epochs[run_id] = run_id, event.body["epoch"]
        elif event.kind == "run.finished" and at_work == run_id:
            at_work = None


def _ends(history: History) -> Iterator[Finding]:
    ends: dict[str, list[Event]] = {}
    for event in history.of_kind("run.finished"):
        ends.setdefault(event.body["run_id"], []).append(event)
    for event in history.of_kind("run.queued"):
        run_id = event.body["run_id"]
        its = ends.get(run_id, [])
        if not its:
            yield Finding("run.stuck", run_id, "it has not ended")
        if len(its) > 1:
            yield Finding("run.twice", run_id, f"it ended {len(its)} times")


def _calls(history: History) -> Iterator[Finding]:
    started = Counter(_call(e) for e in history.of_kind("tool.started"))
    finished = Counter(_call(e) for e in history.of_kind("tool.finished"))
    for call, count in started.items():
        if count > 1:
            yield Finding("tool.twice", call[1], f"it was started {count} times")
        if not finished[call]:
            yield Finding("tool.unfinished", call[1], "it has no result")
    for call, count in finished.items():
        if count > 1:
            yield Finding("tool.twice", call[1], f"it has {count} results")
    for event in history.of_kind("tool.finished"):
        if event.body["status"] in NEVER_MADE and started[_call(event)]:
            told = f"{event.body['status']}, and it was started"
            yield Finding("tool.unpermitted", event.body["call_id"], told)


def _call(event: Event) -> tuple[str, str]:
    return event.body["run_id"], event.body["call_id"]


def _effects(history: History) -> Iterator[Finding]:
    effects = Counter(history.effects)
    started = {e.body["call_id"] for e in history.of_kind("tool.started")}
    for call_id, count in effects.items():
        if count > 1:
            yield Finding("tool.effect-twice", call_id, f"it took effect {count} times")
        if call_id not in started:
            yield Finding("tool.effect-unstarted", call_id, "it took effect and was never started")
    for event in history.of_kind("tool.finished"):
        if event.body["status"] == "completed" and not effects[event.body["call_id"]]:
            yield Finding("tool.effect-lost", event.body["call_id"], "completed without an effect")


def _approvals(history: History) -> Iterator[Finding]:
    decided: dict[str, list[Event]] = {}
    for event in history.of_kind(*DECIDED_ANYHOW):
        decided.setdefault(event.body["approval_id"], []).append(event)
    begun = {_call(e): e for e in history.of_kind("tool.started")}
    for question in history.of_kind("approval.requested"):
        approval_id = question.body["approval_id"]
        its = decided.get(approval_id, [])
        if len(its) != 1:
            yield Finding("approval.winners", approval_id, f"it has {len(its)} ends")
            continue
        decision, start = DECIDED_ANYHOW[its[0].kind], begun.get(_call(question))
        if start is not None and (decision != "approved" or start.seq < its[0].seq):
            yield Finding("tool.unpermitted", question.body["call_id"], f"{decision}, and started")


def _told(history: History) -> Iterator[Finding]:
    """Whoever answered a question was told what became of it."""
    ends = history.of_kind(*DECIDED_ANYHOW)
    decided = {e.body["approval_id"]: DECIDED_ANYHOW[e.kind] for e in ends}
    winners: Counter[str] = Counter()
    for request in history.requests.values():
        if request.does != "answer" or request.status not in {200, 409}:
            continue
        won = request.status == 200
        winners[request.thing] += won
        told = request.body.get("status" if won else "decision")
        if told != decided.get(request.thing):
            truth = decided.get(request.thing)
            yield Finding("approval.answer", request.thing, f"told {told}, and it is {truth}")
    for approval_id, count in winners.items():
        if count > 1:
            yield Finding("approval.winners", approval_id, f"{count} were told that they won")


def _answers_of_the_model(history: History) -> Iterator[Finding]:
    """A completed message is what the model said; an interrupted one is its beginning."""
    for event in history.of_kind("message.completed", "message.interrupted"):
        kept = [_said(block) for block in event.body["blocks"]]
        name = next((text.partition(" ")[0] for _, text in kept if text), "")
        reply = history.replies.get(name)
        if reply is None:
            if kept and (event.kind == "message.completed" or " " in kept[0][1]):
                yield Finding("model.text", event.body["message_id"], f"nobody said {kept}")
            continue
        said = [_said(block) for block in reply]
        completed = event.kind == "message.completed"
        if kept != said and (completed or not _begins(said, kept)):
            yield Finding("model.text", event.body["message_id"], f"{name} was said otherwise")


def _said(block: Json) -> tuple[str, str]:
    return block["type"], str(block.get("text", ""))


def _begins(said: list[tuple[str, str]], kept: list[tuple[str, str]]) -> bool:
    if not kept:
        return True
    *whole, (last_type, last_text) = kept
    if len(kept) > len(said) or whole != said[: len(whole)]:
        return False
    kind, text = said[len(whole)]
    return kind == last_type and text.startswith(last_text)
