from __future__ import annotations

from itertools import product
from typing import Literal, cast

import pytest

from homeport.tools.builtin import builtin_tools
from homeport.tools.policy import Decision, Mode, decide, refusal
from homeport.tools.port import Effect, ToolSpec

Type = Literal["native", "mcp", "custom"]
# mode, effect -> (native, foreign), when nothing was granted
TABLE: dict[tuple[str, Effect], tuple[Decision, Decision]] = {
    ("default", "read"): ("allow", "allow"),
    ("default", "write"): ("ask", "ask"),
    ("default", "execute"): ("ask", "ask"),
    ("accept_edits", "read"): ("allow", "allow"),
    ("accept_edits", "write"): ("allow", "ask"),
    ("accept_edits", "execute"): ("ask", "ask"),
    ("plan", "read"): ("allow", "allow"),
    ("plan", "write"): ("deny", "deny"),
    ("plan", "execute"): ("deny", "deny"),
    ("bypass", "read"): ("allow", "allow"),
    ("bypass", "write"): ("allow", "allow"),
    ("bypass", "execute"): ("allow", "allow"),
    ("of-tomorrow", "read"): ("allow", "allow"),
    ("of-tomorrow", "write"): ("ask", "ask"),
    ("of-tomorrow", "execute"): ("ask", "ask"),
}
TYPES: tuple[Type, ...] = ("native", "mcp", "custom")


def spec(effect: Effect, tool_type: Type = "native") -> ToolSpec:
    return ToolSpec("Tool", "", {}, effect, tool_type=tool_type)


@pytest.mark.parametrize("granted", [False, True])
@pytest.mark.parametrize(("place", "tool_type"), list(product(TABLE, TYPES)))
def test_decide_when_every_case_is_tried_then_it_is_as_the_table_says(
    place: tuple[str, Effect], tool_type: Type, *, granted: bool
) -> None:
    mode, effect = place
    native, foreign = TABLE[place]
    expected = native if tool_type == "native" else foreign
    if granted and expected == "ask":
        expected = "allow"

    decision = decide(cast("Mode", mode), spec(effect, tool_type), granted=granted)

    assert decision == expected


def test_refusal_when_plan_mode_denies_then_it_names_the_tool_and_the_deed() -> None:
    assert "Tool runs programs" in refusal(spec("execute"))
    assert "Tool changes files" in refusal(spec("write"))
    assert "plan mode" in refusal(spec("write"))


def test_builtin_tools_when_their_effects_are_read_then_they_are_the_fixed_ones() -> None:
    assert {tool.spec.name: tool.spec.effect for tool in builtin_tools()} == {
        "Read": "read",
        "Write": "write",
        "Edit": "write",
        "Glob": "read",
        "Grep": "read",
        "Bash": "execute",
    }
    repeatable = {tool.spec.name for tool in builtin_tools() if tool.spec.idempotent}
    assert repeatable == {"Read", "Glob", "Grep"}
