"""Readers that were sent something wrong, something twice, or nothing."""

from __future__ import annotations

import copy

from faults.tampering import Json, Lines, breaks


def middle(found: list[Json]) -> Json:
    return found[len(found) // 2]


def followed(lines: Lines) -> Json:
    """A delta that is followed by one of the same block, on the same connection."""
    deltas = lines.frames("message.delta")
    places = {(e["connection"], e["frame"]["block"], e["frame"]["offset"]) for e in deltas}
    return next(
        each
        for each in deltas
        if (each["connection"], each["frame"]["block"], _end(each["frame"])) in places
    )


def _end(frame: Json) -> int:
    return frame["offset"] + len(frame["text"])


@breaks("reader.twice")
def an_event_comes_twice(lines: Lines) -> None:
    lines.repeat(lines.frames("run.queued")[0])


@breaks("reader.twice")
def a_delta_comes_twice(lines: Lines) -> None:
    lines.repeat(middle(lines.frames("message.delta")))


@breaks("reader.twice")
def a_block_begins_twice(lines: Lines) -> None:
    lines.repeat(middle(lines.frames("block.started")))


@breaks("reader.gap")
def an_event_is_left_out(lines: Lines) -> None:
    lines.drop(lines.frames("run.queued")[0])


@breaks("reader.gap", "reader.text")
def a_delta_is_left_out(lines: Lines) -> None:
    lines.drop(followed(lines))


@breaks("reader.event")
def an_event_says_something_else(lines: Lines) -> None:
    lines.frames("run.paused")[0]["frame"]["approval_ids"] = []


@breaks("reader.event")
def an_event_has_another_time(lines: Lines) -> None:
    lines.frames("run.started")[0]["frame"]["at"] = "2026-01-01T00:00:00.000Z"


@breaks("reader.event")
def a_close_tells_another_digest(lines: Lines) -> None:
    lines.frames("message.completed")[0]["frame"]["blocks"][0]["sha256"] = "00" * 32


@breaks("reader.text")
def one_character_is_another(lines: Lines) -> None:
    frame = next(e["frame"] for e in lines.frames("message.delta") if "tide" in e["frame"]["text"])
    frame["text"] = frame["text"].replace("tide", "tidy", 1)


@breaks("reader.text")
def a_block_is_of_another_type(lines: Lines) -> None:
    lines.frames("block.started", type="thinking")[-1]["frame"]["type"] = "text"


@breaks("reader.cursor")
def a_cursor_leads_elsewhere(lines: Lines) -> None:
    frame = middle(lines.frames("message.delta"))["frame"]
    frame["cursor"] += "0"


@breaks("reader.cursor")
def a_heart_beat_states_another_place(lines: Lines) -> None:
    lines.frames("stream.heartbeat")[-1]["frame"]["cursor"] = "1"


@breaks("reader.cursor")
def a_connection_begins_elsewhere(lines: Lines) -> None:
    lines.of("opened")[-1]["after"] = "1"


@breaks("reader.reset")
def a_whole_message_is_begun_anew(lines: Lines) -> None:
    close = lines.frames("message.completed")[0]
    at = lines.all.index(close)
    its = [
        line
        for line in lines.all[:at]
        if line.get("connection") == close["connection"]
        and line["what"] == "frame"
        and line["frame"].get("message_id") == close["frame"]["message_id"]
    ]
    seq = its[-1]["frame"]["cursor"].partition(".")[0]
    reset = copy.deepcopy(its[-1])
    reset["frame"] = {
        "cursor": seq,
        "kind": "message.reset",
        "message_id": close["frame"]["message_id"],
    }
    again = [copy.deepcopy(line) for line in its if line["frame"]["kind"] != "message.started"]
    lines.all[at:at] = [reset, *again]


@breaks("reader.stale")
def text_comes_of_a_message_that_is_over(lines: Lines) -> None:
    close = lines.frames("message.interrupted")[0]
    late = next(
        line
        for line in reversed(lines.all[: lines.all.index(close)])
        if line["what"] == "frame" and line["frame"]["kind"] == "message.delta"
    )
    new = copy.deepcopy(late) | {"connection": close["connection"]}
    new["frame"]["cursor"] = close["frame"]["cursor"]
    lines.all.insert(lines.all.index(close) + 1, new)


@breaks("reader.stale", "reader.gap", "reader.behind", "reader.cursor")
def text_that_was_not_kept_comes_behind_a_newer_epoch(lines: Lines) -> None:
    # Somebody was shown a preview that a crash took along; the same preview, shown to them after
    # another reader had heard of the next epoch, is what a node that slept would show.
    reset = lines.frames("message.reset")[0]
    at = lines.all.index(reset)
    message_id = reset["frame"]["message_id"]
    shown = next(
        line
        for line in reversed(lines.all[:at])
        if line["what"] == "frame" and line["frame"].get("message_id") == message_id
    )
    run_id = lines.frames("message.started", message_id=message_id)[0]["frame"]["run_id"]
    newer = max(
        (line for line in lines.frames("run.started", run_id=run_id)),
        key=lambda line: line["frame"]["epoch"],
    )
    early = copy.deepcopy(newer) | {"connection": 10**9}
    opened = lines.of("opened", connection=newer["connection"])[0]
    lines.all.insert(lines.all.index(shown), early)
    lines.all.insert(lines.all.index(early), opened | {"connection": 10**9, "reader": "sentinel"})


@breaks("reader.behind")
def a_reader_stops_before_the_end(lines: Lines) -> None:
    lines.drop(lines.frames("run.finished")[-1])


@breaks("reader.event")
def a_reader_reads_what_nobody_wrote(lines: Lines) -> None:
    for opened in lines.of("opened"):
        opened["session_id"] = "another"
