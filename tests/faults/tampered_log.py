"""Broken logs, and requests that were acknowledged in vain."""

from __future__ import annotations

import copy

from faults.tampering import Json, Lines, body, breaks, rewrite


@breaks("log.gap", "reader.event")
def one_event_is_gone(lines: Lines) -> None:
    lines.drop(lines.events("run.paused")[0])
    lines.link()


@breaks("log.head", "reader.event", "run.stuck", "run.row")
def the_last_event_is_gone(lines: Lines) -> None:
    lines.drop(lines.of("event", stream=lines.events("run.queued")[0]["stream"])[-1])


@breaks("log.head")
def the_head_has_another_hash(lines: Lines) -> None:
    head = lines.of("stream")[0]
    head["head_hash"] = "00" * 32


@breaks("log.position")
def two_positions_are_swapped(lines: Lines) -> None:
    one, other = lines.of("event", stream=lines.events("run.queued")[0]["stream"])[4:6]
    lines.swap(one, other, "position")


@breaks("log.position")
def one_position_is_given_twice(lines: Lines) -> None:
    streams = [line["name"] for line in lines.of("stream") if line["head_seq"]]
    one, other = (lines.of("event", stream=name)[-1] for name in streams[:2])
    one["position"] = other["position"] = max(one["position"], other["position"])


@breaks("log.chain", "reader.event")
def somebody_else_is_said_to_have_done_it(lines: Lines) -> None:
    lines.events("approval.approved")[0]["actor"] = "user:nobody"


@breaks("log.payload", "reader.event")
def a_payload_says_something_else(lines: Lines) -> None:
    rewrite(lines.events("approval.denied")[0], note="Never.")


@breaks("log.message-open")
def a_message_is_still_being_written(lines: Lines) -> None:
    stream = lines.events("run.queued")[0]["stream"]
    lines.all.insert(-1, {"what": "row", "table": "open_messages", "stream": stream})


@breaks("log.message-open")
def text_is_left(lines: Lines) -> None:
    stream = lines.events("run.queued")[0]["stream"]
    lines.all.insert(-1, {"what": "row", "table": "message_segments", "stream": stream})


@breaks("log.message-open", "reader.behind")
def a_message_is_opened_at_the_end(lines: Lines) -> None:
    lines.append(lines.events("message.started")[-1])
    lines.link()


@breaks("log.message-open", "reader.behind", "message.row")
def a_message_is_closed_twice(lines: Lines) -> None:
    lines.append(lines.events("message.completed")[-1])
    lines.link()


@breaks("log.order", "log.position")
def the_later_message_lies_before_the_earlier(lines: Lines) -> None:
    one, *_, other = lines.events("message.submitted")
    lines.swap(one, other, "position")


@breaks("request.missing")
def an_acknowledged_message_is_not_there(lines: Lines) -> None:
    lines.of("answered", status=202)[-1]["body"]["message_id"] = "none"


@breaks("request.missing")
def an_acknowledged_session_is_not_there(lines: Lines) -> None:
    lines.of("answered", status=201)[0]["body"]["id"] = "none"


@breaks("request.missing")
def an_acknowledged_stop_is_not_there(lines: Lines) -> None:
    run_id = body(lines.events("run.queued")[0])["run_id"]
    asked = {"what": "asked", "at": 0, "id": 10**9, "does": "stop", "thing": run_id}
    answered: Json = {"what": "answered", "at": 0, "id": 10**9, "status": 200, "body": {}}
    lines.all[-1:-1] = [asked, answered]


@breaks("request.changed", "request.unasked")
def another_text_is_kept(lines: Lines) -> None:
    for asked in lines.of("asked", does="say", thing=lines.of("asked", does="say")[-1]["thing"]):
        asked["text"] = "something else"


@breaks("request.changed", "request.twice")
def the_cursor_lies_behind_the_message(lines: Lines) -> None:
    lines.of("answered", status=202)[0]["body"]["cursor"] = "1000"


@breaks("request.twice", "request.changed")
def a_repeat_makes_another_run(lines: Lines) -> None:
    answered = lines.of("answered", status=202)[0]
    [asked] = lines.of("asked", id=answered["id"])
    repeat: Json = copy.deepcopy(answered) | {"id": 10**9}
    repeat["body"]["run_id"] = body(lines.events("run.queued")[-1])["run_id"]
    lines.all[-1:-1] = [asked | {"id": 10**9}, repeat]


@breaks("request.twice", "reader.behind", "message.row")
def a_message_is_taken_twice(lines: Lines) -> None:
    event = lines.events("message.submitted")[0]
    lines.append(event)
    rewrite(lines.of("event", stream=event["stream"])[-1], message_id="another")
    lines.link()


@breaks("request.twice", "reader.behind")
def a_session_is_made_twice(lines: Lines) -> None:
    lines.append(lines.events("session.created")[0])
    lines.link()


@breaks("request.unasked")
def nobody_said_it(lines: Lines) -> None:
    thing = lines.of("asked", does="say")[-1]["thing"]
    for asked in lines.of("asked", does="say", thing=thing):
        for answered in lines.of("answered", id=asked["id"]):
            lines.drop(answered)
        lines.drop(asked)


@breaks("request.refused")
def a_server_has_failed(lines: Lines) -> None:
    answered = lines.of("answered", status=202)[0]
    answered["status"] = 500
