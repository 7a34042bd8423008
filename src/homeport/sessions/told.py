"""What the model is told: messages in the form of the Messages API, made from the runs so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

from homeport.providers.blocks import to_wire
from homeport.sessions.runstate import Block, RunState, ToolCall, Turn

NO_RESULT = "No result: the run ended before this call was made."
SUMMARY = "The conversation so far, in a summary that you wrote when it had grown too long:\n\n"
ERASED = "What was said before this was erased."
CHARACTERS_PER_TOKEN = 3
"""Of code and prose a token is rather more: the estimate is on the safe side."""
IMAGE = 1_600 * CHARACTERS_PER_TOKEN
"""A picture costs by its area, 1,600 tokens at most, however many bytes it takes."""


def history(runs: Iterable[RunState], run_id: str, *, summary: str | None) -> list[Block]:
    """What the model is told in `run_id`: every run up to it, in the order they were queued.

    Messages in the form of the Messages API, roles alternating, each tool call answered.
    """
    told: list[Block] = []
    if summary is not None:
        _tell(told, "user", [{"type": "text", "text": SUMMARY + summary}])
    for state, turns in _parts(runs, run_id):
        for blocks in state.said:
            _tell(told, "user", [to_wire(block) for block in blocks])
        for turn in turns:
            _tell(told, "assistant", _answer(turn))
            if turn.calls:
                _tell(told, "user", [_result(call) for call in turn.calls])
    if told and told[0]["role"] != "user":  # the API wants a question first
        told.insert(0, {"role": "user", "content": [{"type": "text", "text": ERASED}]})
    return told


def context_tokens(runs: Iterable[RunState], run_id: str, *, summary: str | None) -> int:
    """About how many tokens the next request of `run_id` has, system prompt and tools included.

    The last answer's usage is exact for all that came before it; what was added since is estimated,
    and so is an answer that used nothing here: a fork's was paid for in the original.
    """
    known, added = 0, len(summary or "")
    for state, turns in _parts(runs, run_id):
        added += sum(_size(block) for blocks in state.said for block in blocks)
        for turn in turns:
            if turn.completed and turn.usage.prompt_tokens:
                known, added = turn.usage.prompt_tokens + turn.usage.output_tokens, 0
            else:
                added += sum(_size(block) for block in turn.blocks)
            added += sum(len(call.result.content) for call in turn.calls if call.result)
    return known + added // CHARACTERS_PER_TOKEN


def has_answers(runs: Iterable[RunState], run_id: str) -> bool:
    """Whether anything was answered in what `run_id` is told."""
    return any(turns for _, turns in _parts(runs, run_id))


def _parts(runs: Iterable[RunState], run_id: str) -> Iterator[tuple[RunState, list[Turn]]]:
    """The runs that count, up to `run_id`, each with the answers that count."""
    counted: list[RunState] = []
    for state in runs:
        if not state.forgotten:
            counted.append(state)
        if state.run_id == run_id:
            break
    for state, follower in zip_longest(counted, counted[1:]):
        # The run that asks, or the one that goes on, says again what broke off.
        goes_on = follower is not None and follower.goes_on
        yield state, _kept(state, asking=goes_on or state.run_id == run_id)


def _size(block: Block) -> int:
    return IMAGE if block["type"] == "image" else len(block.get("text") or "")


def _kept(state: RunState, *, asking: bool) -> list[Turn]:
    """The answers that count: an interrupted one only where no later attempt takes its place.

    Of a refused one the provider wants nothing back; with it, it would refuse again.

    Args:
        asking: What broke off last is asked for once more.
    """
    taken_again = {
        index
        for index, turn in enumerate(state.turns)
        if not turn.completed
        and (asking or any(later.turn == turn.turn for later in state.turns[index + 1 :]))
    }
    return [
        turn
        for index, turn in enumerate(state.turns)
        if index >= state.summarised and index not in taken_again and turn.stop_reason != "refusal"
    ]


def _answer(turn: Turn) -> list[Block]:
    if turn.completed:
        return [to_wire(block) for block in turn.blocks if _says_something(block)]
    # Of a broken answer the model may be shown what people saw as text; half a call or a thought
    # without its signature would be refused.
    return [to_wire(b) for b in turn.blocks if b["type"] == "text" and b["text"].strip()]


def _says_something(block: Block) -> bool:
    return block["type"] != "text" or bool(block["text"].strip())


def _result(call: ToolCall) -> Block:
    result = call.result
    return {
        "type": "tool_result",
        "tool_use_id": call.call_id,
        "content": result.content if result is not None else NO_RESULT,
        "is_error": result.is_error if result is not None else True,
    }


def _tell(told: list[dict[str, Any]], role: str, blocks: list[Block]) -> None:
    if not blocks:
        return
    if told and told[-1]["role"] == role:
        told[-1]["content"].extend(blocks)
    else:
        told.append({"role": role, "content": list(blocks)})
