"""What the model is told before the conversation: its task, its place, the project's own words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from homeport.files.workspace import Workspace
from homeport.kernel.errors import HomeportError

INSTRUCTION_FILES = ("CLAUDE.md", "AGENTS.md")
INSTRUCTION_BYTES = 64 * 1024

_PREAMBLE = """\
You are a coding agent. You work on real files in one workspace through your tools; the person you \
work for follows along, perhaps on a phone, and may approve, deny or undo what you do.

- Paths are relative to the workspace. Nothing outside it can be read or written.
- Look before you change, change no more than the task needs, and run the project's tests after it.
- A denied or expired call is an answer: respect it and find another way, or ask.
- When you are done, say in a few sentences what you did and what you saw."""


@dataclass(frozen=True, slots=True)
class Context:
    """The system prompt, and the names of the files that went into it."""

    system: list[dict[str, Any]]
    files: list[str]


async def context_of(
    workspace: Workspace, *, system_prompt: str | None, notices: list[str]
) -> Context:
    """Puts the system prompt together, with the project's `CLAUDE.md` and `AGENTS.md`.

    Args:
        system_prompt: The session's own words; they come last and count most.
        notices: Sentences on what is missing here, such as a sandbox.
    """
    texts = ["\n\n".join([_PREAMBLE, *notices])]
    files: list[str] = []
    for name in INSTRUCTION_FILES:
        words = await asyncio.to_thread(_words, workspace, name)
        if words:
            files.append(name)
            texts.append(f"The project's {name}:\n\n{words}")
    if system_prompt:
        texts.append(system_prompt)
    return Context([{"type": "text", "text": text} for text in texts], files)


def _words(workspace: Workspace, name: str) -> str:
    try:
        data = workspace.read(name, 0, INSTRUCTION_BYTES)
    except HomeportError:
        return ""  # absent, a folder, or leading out of the workspace: no instructions
    return data.decode(errors="replace").replace("\x00", "\ufffd").strip()
