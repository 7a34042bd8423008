"""Plays transcripts through the same port as a real model, chosen by the message's first words."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import UTC, datetime

from homeport.kernel.ids import new_id
from homeport.providers.blocks import to_stored
from homeport.providers.demo.prompt import Prompt, read_prompt
from homeport.providers.demo.transcript import (
    Block,
    TextBlock,
    Turn,
    fill,
    result_values,
    transcripts,
)
from homeport.providers.errors import UnknownModel
from homeport.providers.port import (
    BlockDelta,
    BlockStarted,
    Completed,
    ModelInfo,
    ModelRequest,
    Pricing,
    ProviderEvent,
    Usage,
    UsageSeen,
)

DEMO_MODEL = "demo"
WORDS_PER_PIECE = re.compile(r"\S+\s*(?:\S+\s*)?|\s+")
JSON_PIECE = 24
CHARACTERS_PER_TOKEN = 4
PERF = re.compile(r"PERF n=(\d{1,6})(?: i=(\d+(?:\.\d+)?))?")
INFO = ModelInfo(
    id=DEMO_MODEL,
    display_name="Homeport demo",
    description="Plays prepared transcripts: no key, no network, no cost.",
    context_window=200_000,
    max_output_tokens=64_000,
    pricing=Pricing(),
    created=datetime(2026, 11, 1, tzinfo=UTC),
    owned_by="homeport",
    supports_vision=False,
    supports_sampling=False,
    supports_tool_choice=False,
)


class DemoProvider:
    """The provider of the model `demo`.

    What files hold and commands print comes from the tools that it calls, never from a transcript.

    Args:
        pace: Multiplies the transcripts' delays; 0 plays as fast as it is read. The pause that
            `PERF n=... i=<ms>` asks for is kept as asked.
    """

    name = "demo"

    def __init__(self, *, pace: float = 1.0) -> None:
        self._pace = pace

    def models(self) -> Sequence[ModelInfo]:
        """The one model."""
        return (INFO,)

    def find(self, model_id: str) -> ModelInfo | None:
        """The one model, by its one name."""
        return INFO if model_id == DEMO_MODEL else None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Plays the turn that the request's messages have come to.

        Raises:
            UnknownModel: The request names another model.
        """
        if request.model != DEMO_MODEL:
            raise UnknownModel(f"The demo provider serves only {DEMO_MODEL!r}.", param="model")
        prompt = read_prompt(request.messages)
        offered = frozenset(str(tool.get("name", "")) for tool in request.tools)
        turn, delay_scale = _choose_turn(prompt, offered), self._pace
        if perf := PERF.match(prompt.text):
            turn, delay_scale = _perf_turn(perf), 1.0
        usage = _usage(turn, request)
        yield UsageSeen(Usage(input_tokens=usage.input_tokens, output_tokens=1))
        blocks: list[dict[str, object]] = []
        for number, block in enumerate(turn.blocks):
            stored, pieces = _perform(block)
            tool_name = block.name if block.type == "tool_use" else None
            yield BlockStarted(number, block.type, _as_text(stored.get("id")), tool_name)
            for piece in pieces:
                await asyncio.sleep(block.delay_ms * delay_scale / 1_000)
                yield BlockDelta(number, piece)
            blocks.append(to_stored(stored, "".join(pieces)))
        yield UsageSeen(usage)
        yield Completed("tool_use" if turn.calls() else "end_turn", None, usage, blocks)

    async def warm(self) -> None:
        """Reads the transcripts; a malformed one is found here."""
        await asyncio.to_thread(transcripts)

    async def close(self) -> None:
        """Holds nothing."""


def _choose_turn(prompt: Prompt, offered: frozenset[str]) -> Turn:
    """The turn that follows the tool results so far, its placeholders filled."""
    for transcript in transcripts():
        argument = transcript.argument(prompt.text)
        turns = [turn for turn in transcript.turns if turn.is_played(offered)]
        if argument is None or not turns:
            continue
        values = {"argument": argument, **result_values(turns, prompt.results)}
        left = len(prompt.results)
        position = 0
        while position < len(turns) - 1 and left >= turns[position].calls():
            left -= turns[position].calls()
            position += 1
        return _filled(turns[position], values)
    return _introduction()


def _filled(turn: Turn, values: dict[str, str]) -> Turn:
    return Turn.model_validate(fill(turn.model_dump(mode="json"), values))


def _introduction() -> Turn:
    offers = ", ".join(f'"{transcript.about}"' for transcript in transcripts())
    text = (
        "I am Homeport's demo model, which plays prepared transcripts without a key or a network "
        f"while the tools do real work, and I know how to answer these: {offers}."
    )
    return Turn(blocks=(TextBlock(type="text", text=text),))


def _perf_turn(perf: re.Match[str]) -> Turn:
    """`PERF n=<deltas> i=<ms>`: that many pieces, that far apart, for measurements and tests."""
    # Two words are one piece.
    text = "".join(f"delta {number} " for number in range(int(perf[1])))
    delay_ms = float(perf[2] or 0)
    return Turn(blocks=(TextBlock(type="text", text=text or "none", delay_ms=delay_ms),))


def _perform(block: Block) -> tuple[dict[str, object], list[str]]:
    """How a block begins, and the pieces in which it is streamed."""
    if block.type == "tool_use":
        raw = json.dumps(block.input, ensure_ascii=False)
        started: dict[str, object] = {
            "type": block.type,
            "id": f"toolu_demo_{new_id().replace('-', '')}",
            "name": block.name,
        }
        return started, [raw[at : at + JSON_PIECE] for at in range(0, len(raw), JSON_PIECE)]
    pieces = WORDS_PER_PIECE.findall(block.text)
    if block.type == "thinking":
        return {"type": block.type, "signature": block.signature}, pieces
    return {"type": block.type}, pieces


def _usage(turn: Turn, request: ModelRequest) -> Usage:
    """What the turn claims, or an estimate from the characters of prompt and answer."""
    if turn.usage is not None:
        return Usage(**turn.usage.model_dump())
    prompt = sum(len(text) for text in _texts((request.system, request.messages, request.tools)))
    answer = sum(len(piece) for block in turn.blocks for piece in _perform(block)[1])
    return Usage(
        input_tokens=1 + prompt // CHARACTERS_PER_TOKEN,
        output_tokens=1 + answer // CHARACTERS_PER_TOKEN,
    )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():  # pyright: ignore[reportUnknownVariableType] - JSON
            yield from _texts(member)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, (list, tuple)):
        for item in value:  # pyright: ignore[reportUnknownVariableType] - JSON
            yield from _texts(item)  # pyright: ignore[reportUnknownArgumentType]


def _as_text(value: object) -> str | None:
    return value if isinstance(value, str) else None
