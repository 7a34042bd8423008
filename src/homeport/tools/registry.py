"""Which tools there are, which of them this machine can offer, and whether arguments are fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from homeport.sandbox.port import Rung, Sandbox
from homeport.tools.guard import Guarded
from homeport.tools.port import Tool, ToolSpec
from homeport.tools.schema import flaw, problems


class Registry:
    """The tools of a server, by name; each behind a `Guarded`.

    Args:
        tools: In the order in which the model sees them.

    Raises:
        ValueError: Two tools have one name, or a schema is none.
    """

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            name = tool.spec.name
            if name in self._tools:
                raise ValueError(f"there are two tools named {name}")
            broken = flaw(tool.spec.input_schema)
            if broken is not None:
                raise ValueError(f"the schema of {name} is none: {broken}")
            self._tools[name] = tool if isinstance(tool, Guarded) else Guarded(tool, check)

    def find(self, name: str) -> Tool | None:
        """The tool of that name, whether or not it can be offered."""
        return self._tools.get(name)

    def offered(self, sandbox: Sandbox) -> list[Tool]:
        """The tools that work on this machine: without a box, none that runs commands in it."""
        return [
            tool
            for tool in self._tools.values()
            if sandbox.rung is not Rung.UNAVAILABLE or not _needs_box(tool.spec)
        ]

    def notice(self, sandbox: Sandbox) -> str | None:
        """What the model must know when not every tool is offered; None when every one is.

        It names the one command that mends it, so that the model can tell its user.
        """
        missing = [
            tool.spec.name
            for tool in self._tools.values()
            if sandbox.rung is Rung.UNAVAILABLE and _needs_box(tool.spec)
        ]
        if not missing:
            return None
        names = " and ".join(missing)
        cure = f" The operator can change that with: {sandbox.remedy}" if sandbox.remedy else ""
        return (
            f"{names} cannot be used here, because this machine has no sandbox to run commands in. "
            "The other tools work; say so when a task needs a command to be run." + cure
        )

    def definitions(self, sandbox: Sandbox) -> list[dict[str, Any]]:
        """The offered tools as the Messages API of Anthropic takes them."""
        return [
            {
                "name": tool.spec.name,
                "description": tool.spec.description,
                "input_schema": tool.spec.input_schema,
            }
            for tool in self.offered(sandbox)
        ]


def check(spec: ToolSpec, arguments: dict[str, Any]) -> str | None:
    """What is wrong with a call's arguments, as one sentence for the model; or None."""
    try:
        orjson.dumps(arguments)
    except TypeError:
        return f"The input of {spec.name} is not valid: it holds text that is not valid Unicode."
    found = problems(spec.input_schema, arguments)
    return f"The input of {spec.name} is not valid: {'; '.join(found)}." if found else None


def _needs_box(spec: ToolSpec) -> bool:
    return spec.effect == "execute" and spec.tool_type == "native"
