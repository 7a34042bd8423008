"""What an approval is bound to, what people are shown, and what may never be approved for good."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from homeport.tools.interpreters import OPTIONS, PROGRAMS

COSMETIC = {"Bash": frozenset({"description"})}
"""Arguments that change nothing about what is done: not part of what was approved."""
SUMMARY = 400
SUMMARY_TAIL = 120
# A command of these characters means the same to every shell: words between single spaces. Nothing
# is read out of it; any other character simply keeps it from being approved for good.
PLAIN = re.compile(r"[A-Za-z0-9_./:=@%+,\-]+(?: [A-Za-z0-9_./:=@%+,\-]+)*")
VERSION = re.compile(r"[0-9.\-]+$")
SIGNS = {"\n": "⏎", "\t": "⇥"}
# Printable to Python, nothing to the eye: fillers, joiners, variation selectors, the braille blank.
UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def digest(tool: str, arguments: dict[str, Any], *, cwd: str, network: str, project_id: str) -> str:
    """The SHA-256, in hex, of exactly what would be done: tool, arguments, place, reach, project.

    The document is hashed as JSON with sorted members and no spaces (after RFC 8785; text is kept
    as escapes, numbers as Python writes them). No two calls that differ in what they do share one.

    Raises:
        ValueError: A number is NaN or infinite, which no JSON document can hold.
    """
    binding = {
        "arguments": _acting(tool, arguments),
        "cwd": cwd,
        "network": network,
        "project_id": project_id,
        "tool": tool,
        "version": 1,
    }
    text = json.dumps(binding, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def summary(tool: str, arguments: dict[str, Any]) -> str:
    """One line for people: the exact command or path, every hidden character made visible.

    What the model says about a call (a description) is left out: people judge what is done.
    """
    if tool == "Bash":
        return f"Bash: {_line(str(arguments.get('command', '')))}"
    path = arguments.get("file_path")
    if isinstance(path, str):
        return f"{tool} {_line(path)}{_extent(tool, arguments)}"
    return f"{tool} {_line(json.dumps(arguments, sort_keys=True, ensure_ascii=False))}"


def may_always(tool: str, arguments: dict[str, Any]) -> bool:
    """Whether people may approve this call in this project for good.

    Only a command may, and only one that is plain words, begins with the bare name of a program,
    and holds no program that runs what its arguments, its input or a file say. Refusing is all that
    is done here: nothing is ever found safe by reading a command, only a person approves.
    """
    command = arguments.get("command")
    if tool != "Bash" or not isinstance(command, str) or not PLAIN.fullmatch(command):
        return False
    words = command.split(" ")
    if words[0] == "." or "=" in words[0] or "/" in words[0]:
        return False  # `source`; an assignment; a file that the agent itself can rewrite
    return not any(_interprets(word) for word in words)


def _interprets(word: str) -> bool:
    name = word.rpartition("/")[2].casefold().removesuffix(".exe")
    if name in PROGRAMS or VERSION.sub("", name) in PROGRAMS:
        return True
    return word.partition("=")[0] in OPTIONS


def _acting(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    aside = COSMETIC.get(tool, frozenset[str]())
    return {name: value for name, value in arguments.items() if name not in aside}


def _extent(tool: str, arguments: dict[str, Any]) -> str:
    if tool == "Write":
        content = str(arguments.get("content", ""))
        return f" ({len(content.splitlines())} lines, {len(content)} characters)"
    if tool == "Edit" and arguments.get("replace_all") is True:
        return " (every occurrence)"
    return ""


def _line(text: str) -> str:
    """`text` on one line, one to one: no two texts look alike, and a cut is told with its size."""
    shown = [_visible(character) for character in text]
    if len(shown) <= SUMMARY:
        return "".join(shown)
    hidden = len(shown) - SUMMARY
    head = "".join(shown[: SUMMARY - SUMMARY_TAIL])
    tail = "".join(shown[-SUMMARY_TAIL:])
    return f"{head} …[{hidden} characters not shown]… {tail}"


def _visible(character: str) -> str:
    if character in SIGNS:
        return SIGNS[character]
    hidden = not character.isprintable() or UNSEEN.match(character) is not None
    if hidden or character in "⟨⏎⇥":
        return f"⟨U+{ord(character):04X}⟩"
    return character
