"""Transcripts: what the demo model says, turn by turn. They are data, beside this module.

A transcript is a TOML file:

    opens_with = ["fix the failing test"]  # the first words of a message, in lower case
    about = "fix the failing test"         # how the demo model offers it

    [[turns]]
    requires = "Bash"     # optional: the turn is played only when this tool is offered ...
    unless = "Bash"       # ... or only when it is not
    usage = { input_tokens = 10, output_tokens = 5 }

    [[turns.blocks]]
    type = "text"         # or "thinking", with signature; or "tool_use", with name and input
    text = "..."
    delay_ms = 30         # before each piece
    label = "tests"       # of a tool_use: the name by which later prose calls its result

Prose and inputs may hold `{{argument}}` (what followed the first words) and, for a labelled
call, `{{label.first_line}}`, `{{label.last_line}}` or `{{label.text}}`: what the tool answered
(the lines leave out what the tool itself remarks, like `[Exit code 1.]`). A transcript never holds
what a tool would say.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

PLACEHOLDER = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TextBlock(_Frozen):
    """Prose that the user reads."""

    type: Literal["text"]
    text: str
    delay_ms: float = Field(default=25, ge=0)


class ThinkingBlock(_Frozen):
    """Prose that the model thinks."""

    type: Literal["thinking"]
    text: str
    signature: str
    delay_ms: float = Field(default=25, ge=0)


class ToolBlock(_Frozen):
    """A call of a tool."""

    type: Literal["tool_use"]
    name: str
    input: dict[str, Any]
    label: str | None = None
    delay_ms: float = Field(default=15, ge=0)


Block = Annotated[TextBlock | ThinkingBlock | ToolBlock, Field(discriminator="type")]


class TurnUsage(_Frozen):
    """The tokens that a turn claims; without it they are estimated from the text."""

    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    cache_read_tokens: int = Field(default=0, ge=0)
    cache_write_tokens: int = Field(default=0, ge=0)


class Turn(_Frozen):
    """One answer of the model."""

    blocks: tuple[Block, ...] = Field(min_length=1)
    requires: str | None = None
    unless: str | None = None
    usage: TurnUsage | None = None

    def calls(self) -> int:
        """How many tools it calls."""
        return sum(block.type == "tool_use" for block in self.blocks)

    def is_played(self, offered: frozenset[str]) -> bool:
        """Whether it belongs to the play when these tools are offered."""
        called = {block.name for block in self.blocks if block.type == "tool_use"}
        required = called | {self.requires} if self.requires else called
        return required <= offered and self.unless not in offered


class Transcript(_Frozen):
    """A play."""

    opens_with: tuple[str, ...] = Field(min_length=1)
    about: str
    turns: tuple[Turn, ...] = Field(min_length=1)

    def argument(self, message: str) -> str | None:
        """What follows the first words in `message`; None when it does not open like this."""
        lowered = message.lower()
        for opening in self.opens_with:
            if lowered.startswith(opening):
                return message[len(opening) :].strip()
        return None


@cache
def transcripts() -> tuple[Transcript, ...]:
    """Every transcript of the package, by file name.

    Raises:
        ValueError: A file is not a transcript.
    """
    folder = files("homeport.providers.demo").joinpath("transcripts")
    found = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".toml")),
        key=lambda entry: entry.name,
    )
    return tuple(
        Transcript.model_validate(tomllib.loads(entry.read_text(encoding="utf-8")))
        for entry in found
    )


def fill(value: Any, values: Mapping[str, str]) -> Any:
    """`value`, text or JSON, with its placeholders filled; unknown ones become empty."""
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda match: values.get(match[1], ""), value)
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {name: fill(member, values) for name, member in members.items()}
    if isinstance(value, list):
        return [fill(item, values) for item in cast("list[Any]", value)]
    return value


def result_values(turns: Sequence[Turn], results: Sequence[str]) -> dict[str, str]:
    """The placeholders for the results that have come back, in the order of their calls."""
    calls = [block for turn in turns for block in turn.blocks if block.type == "tool_use"]
    values: dict[str, str] = {}
    for call, result in zip(calls, results, strict=False):
        if call.label is None:
            continue
        lines = [line for line in result.splitlines() if _is_said(line)] or [""]
        values[f"{call.label}.text"] = result
        values[f"{call.label}.first_line"] = lines[0].strip()
        values[f"{call.label}.last_line"] = lines[-1].strip()
    return values


def _is_said(line: str) -> bool:
    """Whether it is neither blank nor a remark of the tool."""
    return bool(line.strip()) and not (line.startswith("[") and line.endswith(".]"))
