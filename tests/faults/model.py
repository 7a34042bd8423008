"""A model whose every answer is known before it is given, and whose calls write their own id down.

What it does is in the message that it answers:

    PLAN {"id": "...", "turns": [{"pieces": 12, "calls": 1}, ...]}

Each turn but the last calls `Bash`, which appends the call's id to `effects.txt`. A turn with
`long` says that the conversation fills the context window, so that the next one is compacted.
"""

from __future__ import annotations

import json
import random
import re
from typing import Any, cast

from faults.recorder import Recorder
from support.upstream import Received, Reply, Step, Upstream, text, thinking, tool_use

EFFECTS = "effects.txt"
PIECES = ("tide ", "\u6f6e\u6c50 ", "\U0001f6a2", "e\u0301tat ", '{"key": ', "line\n", "and so on ")
CONTEXT_TOKENS = 990_000
SUMMARY = re.compile(r"SUMMARY plan=(\S+) results=(\d+)")
Json = dict[str, Any]


def plan(plan_id: str, turns: list[Json]) -> str:
    """The message that makes the model take these turns."""
    return f"PLAN {json.dumps({'id': plan_id, 'turns': turns})}"


class Model:
    """Answers an upstream's requests, and notes what it answers.

    Args:
        interval_s: Between two pieces of an answer.
        tool_s: How long a call takes behind its effect.
    """

    def __init__(self, recorder: Recorder, *, seed: int, interval_s: float, tool_s: float) -> None:
        self._recorder = recorder
        self._chance = random.Random(seed)
        self._interval_s = interval_s
        self._tool_s = tool_s

    def serve(self, upstream: Upstream) -> None:
        """Answers for `upstream` from now on."""

        def decide(received: Received) -> Step:
            upstream.requests.clear()  # a long storm would fill the memory with them
            return self.answer(received.body)

        upstream.decide = decide

    def answer(self, body: Json) -> Reply:
        """The next turn of the last plan."""
        blocks = _user_blocks(body)
        planned, results = _stand(blocks)
        if body.get("tool_choice") == {"type": "none"}:
            summary = f"SUMMARY plan={planned['id']} results={results}"
            return Reply(text(summary), interval_s=self._interval_s)
        name = f"r{self._recorder.number()}"
        turns: list[Json] = planned["turns"]
        done = 0
        for turn in turns:
            if results <= done:
                return self._reply(name, turn)
            done += turn.get("calls", 0)
        return self._reply(name, turns[-1])

    def _reply(self, name: str, turn: Json) -> Reply:
        pieces = [self._chance.choice(PIECES) for _ in range(turn["pieces"])]
        half = len(pieces) // 3
        thoughts, words = [f"{name} ", *pieces[:half]], [f"{name} ", *pieces[half:]]
        said = [
            {"type": "thinking", "text": "".join(thoughts)},
            {"type": "text", "text": "".join(words)},
        ]
        events = thinking(*thoughts, signature="c2ln", index=0) + text(*words, index=1)
        for number in range(turn.get("calls", 0)):
            call_id = f"toolu_{name}_{number}"
            raw = json.dumps({"command": f"echo {call_id} >> {EFFECTS}; sleep {self._tool_s}"})
            said.append({"type": "tool_use", "text": raw})
            third = len(raw) // 3
            call = tool_use("Bash", raw[:third], raw[third:], id=call_id, index=2 + number)
            events += call
        self._recorder.note("replied", reply=name, blocks=said)
        tokens = CONTEXT_TOKENS if turn.get("long") else 10
        return Reply(
            events,
            stop_reason="tool_use" if turn.get("calls") else "end_turn",
            usage={"input_tokens": tokens, "output_tokens": 1},
            interval_s=self._interval_s,
        )


def _user_blocks(body: Json) -> list[Json]:
    """What people and tools have said, in order."""
    blocks: list[Json] = []
    for message in body["messages"]:
        if message["role"] == "user":
            content: Any = message["content"]
            told = [{"type": "text", "text": content}] if isinstance(content, str) else content
            blocks += cast("list[Json]", told)
    return blocks


def _stand(blocks: list[Json]) -> tuple[Json, int]:
    """The last plan, and how many of its calls have a result, those of a summary included."""
    planned: Json = {}
    results, summarised = 0, ("", 0)
    for block in blocks:
        said = str(block.get("text", ""))
        if (found := SUMMARY.search(said)) is not None:
            summarised = found[1], int(found[2])
        elif said.startswith("PLAN "):
            planned, results = json.loads(said.removeprefix("PLAN ")), 0
            results = summarised[1] if summarised[0] == planned["id"] else 0
        elif block["type"] == "tool_result":
            results += 1
    return planned, results
