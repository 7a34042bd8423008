"""Runs, tool calls and questions to people that did not go as promised."""

from __future__ import annotations

import copy
from typing import Any

from faults.tampering import Json, Lines, body, breaks, rewrite


def event_of(lines: Lines, kind: str, **members: Any) -> Json:
    return next(e for e in lines.events(kind) if members.items() <= body(e).items())


def more(lines: Lines, event: Json, **members: Any) -> None:
    """One more such event at the end of the stream, with other members."""
    lines.append(event)
    rewrite(lines.of("event", stream=event["stream"])[-1], **members)
    lines.link()


@breaks("run.stuck", "reader.behind", "message.row", "request.unasked")
def a_run_never_ends(lines: Lines) -> None:
    more(lines, lines.events("run.queued")[0], run_id="another")


@breaks("run.twice", "reader.behind", "run.row")
def a_run_ends_twice(lines: Lines) -> None:
    more(lines, lines.events("run.finished")[0])


@breaks("run.two-at-work", "run.epoch", "reader.event")
def a_run_begins_before_the_one_before_it_ends(lines: Lines) -> None:
    again = next(e for e in lines.events("run.started") if body(e)["epoch"] > 1)
    ids = {body(event)["run_id"] for event in lines.events("run.queued")}
    rewrite(again, run_id=(ids - {body(again)["run_id"]}).pop())
    lines.link()


@breaks("run.epoch", "reader.event")
def an_epoch_comes_again(lines: Lines) -> None:
    again = next(e for e in lines.events("run.started") if body(e)["epoch"] > 1)
    rewrite(again, epoch=1)
    lines.link()


@breaks("run.row")
def a_runs_row_says_otherwise(lines: Lines) -> None:
    lines.of("row", table="runs")[0]["outcome"] = "failed"


@breaks("run.row")
def a_runs_row_is_not_there(lines: Lines) -> None:
    lines.drop(lines.of("row", table="runs")[0])


@breaks("run.late", "reader.event")
def a_run_is_taken_up_late(lines: Lines) -> None:
    gone = lines.of("node", how="killed")[-1]["at"]
    stream = lines.events("run.queued")[0]["stream"]
    for event in lines.of("event", stream=stream):
        if event["at"] >= gone:
            event["at"] += 20_000
    lines.link()


@breaks("tool.twice", "reader.behind", "tool.row")
def a_call_is_started_twice(lines: Lines) -> None:
    more(lines, lines.events("tool.started")[0])


@breaks("tool.twice", "reader.behind", "tool.row")
def a_call_has_two_results(lines: Lines) -> None:
    more(lines, lines.events("tool.finished")[0])


@breaks("tool.unfinished", "reader.behind", "tool.row")
def a_call_has_no_result(lines: Lines) -> None:
    more(lines, lines.events("tool.started")[0], call_id="another")


@breaks("tool.effect-twice")
def a_call_takes_effect_twice(lines: Lines) -> None:
    lines.repeat(lines.of("effect")[0])


@breaks("tool.effect-unstarted")
def a_call_that_was_never_started_takes_effect(lines: Lines) -> None:
    denied = event_of(lines, "tool.finished", status="denied")
    lines.all.insert(-1, {"what": "effect", "call_id": body(denied)["call_id"]})


@breaks("tool.effect-lost")
def a_completed_call_has_no_effect(lines: Lines) -> None:
    lines.drop(lines.of("effect")[0])


@breaks("tool.unpermitted", "reader.event", "tool.row", "tool.effect-unstarted")
def a_denied_call_is_started(lines: Lines) -> None:
    denied = event_of(lines, "tool.finished", status="denied")
    started = lines.events("tool.started")[0]
    rewrite(started, **{name: body(denied)[name] for name in ("run_id", "call_id")})
    lines.link()


@breaks("tool.unpermitted", "reader.event", "tool.row", "log.payload", "log.chain")
def a_call_is_started_before_the_yes(lines: Lines) -> None:
    yes = lines.events("approval.approved")[0]
    start = event_of(lines, "tool.started", call_id=body(yes)["call_id"])
    for member in ("kind", "payload", "actor"):
        lines.swap(yes, start, member)


@breaks("approval.winners", "reader.behind")
def a_question_has_two_answers(lines: Lines) -> None:
    more(lines, lines.events("approval.denied")[0])


@breaks("approval.winners")
def two_devices_are_told_that_they_won(lines: Lines) -> None:
    won = next(line for line in lines.of("answered", status=200) if "decided_by" in line["body"])
    [asked] = lines.of("asked", id=won["id"])
    again = [asked | {"id": 10**9}, copy.deepcopy(won) | {"id": 10**9}]
    lines.all[-1:-1] = again


@breaks("approval.answer")
def the_second_device_is_told_something_else(lines: Lines) -> None:
    late = next(line for line in lines.of("answered", status=409) if "decision" in line["body"])
    late["body"]["decision"] = "expired"


@breaks("approval.row")
def a_questions_row_says_otherwise(lines: Lines) -> None:
    lines.of("row", table="approvals")[0]["status"] = "requested"


@breaks("message.row")
def a_messages_row_says_otherwise(lines: Lines) -> None:
    lines.of("row", table="messages")[-1]["seq"] += 1


@breaks("tool.row")
def a_calls_row_says_otherwise(lines: Lines) -> None:
    lines.of("row", table="tool_calls")[0]["finished_seq"] = 0


@breaks("model.text")
def the_model_said_something_else(lines: Lines) -> None:
    kept = body(lines.events("message.completed")[0])["blocks"]
    name = kept[0]["text"].partition(" ")[0]
    lines.of("replied", reply=name)[0]["blocks"][1]["text"] += "."


@breaks("model.text")
def a_cut_answer_is_not_the_beginning(lines: Lines) -> None:
    cut = [body(event)["blocks"] for event in lines.events("message.interrupted")]
    kept = next(blocks for blocks in cut if blocks)
    name = kept[0]["text"].partition(" ")[0]
    reply = lines.of("replied", reply=name)[0]["blocks"]
    reply[0]["text"] = name + " nothing of this " + reply[0]["text"]


@breaks("model.text")
def nobody_said_this(lines: Lines) -> None:
    kept = body(lines.events("message.completed")[0])["blocks"]
    lines.drop(lines.of("replied", reply=kept[0]["text"].partition(" ")[0])[0])
