"""What a tool is, what it is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from homeport.files.workspace import Workspace
from homeport.sandbox.port import Sandbox

Effect = Literal["read", "write", "execute"]
"""What a call may do to the world: look, change files of the workspace, run programs."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model, the policy and people see it.

    Attributes:
        name: Unique in a registry.
        description: A prompt: when to use it, and what comes back.
        input_schema: JSON Schema 2020-12 of the arguments; native ones refuse unknown members.
        effect: What the policy judges by.
        idempotent: A call that was under way when the server died may simply be made again.
        tool_type: Where it comes from.
    """

    name: str
    description: str
    input_schema: dict[str, Any]
    effect: Effect
    idempotent: bool = False
    tool_type: Literal["native", "mcp", "custom"] = "native"


def _nothing_seen() -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a call has to work with.

    Attributes:
        workspace: The project's files.
        sandbox: Where commands run.
        network: What a command may reach.
        readable: Directories outside the workspace that a command may read (toolchains).
        timeout_s: Seconds on the clock that are left for this call.
        seen: ETags of files as the model last read or left them, by path.
        on_output: Takes output as it comes, in the event loop: for people to see, not the result.
    """

    workspace: Workspace
    sandbox: Sandbox
    network: Literal["none", "full"] = "none"
    readable: tuple[Path, ...] = ()
    timeout_s: float = 600
    seen: Mapping[str, str] = field(default_factory=_nothing_seen)
    on_output: Callable[[bytes], None] | None = None


def _no_details() -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a call.

    Attributes:
        content: What the model reads.
        is_error: It did not work; `content` says why and what could be done.
        exit_code: Of a command that ended by itself.
        details: Small facts for clients (`path`, `diff`, `next_offset`, `code`, ...); JSON. With
            `path`, an `etag` says which state of the file the model has seen.
    """

    content: str
    is_error: bool = False
    exit_code: int | None = None
    details: dict[str, Any] = field(default_factory=_no_details)


class Tool(Protocol):
    """Something the agent may use."""

    @property
    def spec(self) -> ToolSpec:
        """What it is."""
        ...

    async def run(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        """Makes one call.

        What a registry hands out never raises anything but CancelledError: `Guarded` stands before
        every tool, so an implementation may let kinds of `homeport.kernel.errors` pass.
        """
        ...
