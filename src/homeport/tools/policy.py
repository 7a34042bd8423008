"""Permission modes: what runs by itself, what people are asked about, what is not done."""

from __future__ import annotations

from typing import Final, Literal

from homeport.tools.port import ToolSpec

Mode = Literal["default", "accept_edits", "plan", "bypass"]
Decision = Literal["allow", "ask", "deny"]
LOOSER: Final[frozenset[Mode]] = frozenset({"accept_edits", "bypass"})
"""The modes in which something runs by itself that `default` asks about."""


def decide(mode: Mode, spec: ToolSpec, *, granted: bool) -> Decision:
    """Whether a call is made, asked about, or denied.

    Reading is always allowed. `default` asks for everything else, `accept_edits` no longer for the
    native file tools (a turn's checkpoint undoes those, not what a foreign tool wrote), `plan`
    denies, `bypass` allows. That `bypass` may be chosen at all is the operator's word, judged where
    a session takes its mode. A mode that nobody knows asks.

    Args:
        mode: The session's.
        spec: The tool.
        granted: People have approved this call before, for the run or for always. It answers a
            question; it does not lift a denial.
    """
    if spec.effect == "read" or mode == "bypass":
        return "allow"
    if mode == "plan":
        return "deny"
    if mode == "accept_edits" and spec.effect == "write" and spec.tool_type == "native":
        return "allow"
    return "allow" if granted else "ask"


def refusal(spec: ToolSpec) -> str:
    """What the model is told when `decide` said deny."""
    deed = "changes files" if spec.effect == "write" else "runs programs"
    return (
        f"{spec.name} {deed}, and this session is in plan mode: nothing is written or run. "
        "Look with the reading tools and say what you would do; the user can change the mode."
    )
