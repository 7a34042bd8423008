"""The one place where a tool's failures become results: past it, only CancelledError is raised."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, cast

import structlog

from homeport.kernel.errors import HomeportError
from homeport.kernel.ids import new_id
from homeport.tools.port import Tool, ToolContext, ToolResult, ToolSpec

GRACE_S = 15.0
"""How much longer than its time a call may take to come back: the sandbox ends what overruns."""
HINTS = {
    "files.not-found": "Look for it with Glob.",
    "files.outside-workspace": "Only paths in the project can be used, relative to its root.",
    "files.protected": "Leave it as it is and tell the user what should be changed there.",
    "files.not-permitted": "Tell the user; nothing was changed.",
    "files.changed": "Nothing was written; read it again first.",
    "files.no-space": "The disk is full and nothing was changed; tell the user.",
    "project.volume-elsewhere": "The project was deleted or moved; stop and tell the user.",
    "sandbox.workspace-missing": "The project was deleted or moved; stop and tell the user.",
}
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_logger = structlog.get_logger(__name__)

Check = Callable[[ToolSpec, dict[str, Any]], str | None]


class Guarded:
    """A tool whose `run` gives a result whatever happens.

    Args:
        tool: The tool itself.
        check: Judges the arguments; the tool never sees unfit ones.
        grace_s: Seconds after `ToolContext.timeout_s` when the call is given up.
    """

    def __init__(self, tool: Tool, check: Check, *, grace_s: float = GRACE_S) -> None:
        self._tool = tool
        self._check = check
        self._grace_s = grace_s

    @property
    def spec(self) -> ToolSpec:
        """What it is."""
        return self._tool.spec

    async def run(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        """Makes one call; a failure is a result that says what can be done."""
        wrong = self._check(self.spec, arguments)
        if wrong is not None:
            return ToolResult(wrong, is_error=True, details={"code": "tool.invalid-input"})
        limit = asyncio.timeout(context.timeout_s + self._grace_s)
        try:
            async with limit:
                return _storable(await self._tool.run(arguments, context))
        except HomeportError as error:
            return _storable(failure(error))
        except TimeoutError as error:
            if limit.expired():
                return ToolResult(
                    f"{self.spec.name} was given up after {context.timeout_s:g} s. "
                    "Try a smaller part of the work.",
                    is_error=True,
                    details={"code": "tool.timeout"},
                )
            return self._mistake(error)
        except Exception as error:  # noqa: BLE001 - a tool's bug must not end the run; it is logged
            return self._mistake(error)

    def _mistake(self, error: Exception) -> ToolResult:
        error_id = new_id()
        _logger.error("tool.failed", tool=self.spec.name, error_id=error_id, exc_info=error)
        return ToolResult(
            f"{self.spec.name} failed by a mistake of the server, not yours. Do not try the same "
            f"call again; tell the user that the operator finds it in the log as {error_id}.",
            is_error=True,
            details={"code": "tool.failed", "error_id": error_id},
        )


def failure(error: HomeportError) -> ToolResult:
    """A known failure in words for the model."""
    hint = HINTS.get(error.code)
    return ToolResult(
        f"{error.detail} {hint}" if hint else error.detail,
        is_error=True,
        details={"code": error.code},
    )


def _storable(result: ToolResult) -> ToolResult:
    """The result with text that every database and every JSON parser takes."""
    return ToolResult(
        _clean(result.content),
        is_error=result.is_error,
        exit_code=result.exit_code,
        details=_clean(result.details),
    )


def _clean(value: Any) -> Any:
    """JSON with U+FFFD for NUL and lone surrogates, at any depth."""
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {_clean(name): _clean(member) for name, member in members.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in cast("list[Any]", value)]
    return value
