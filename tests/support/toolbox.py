"""Calls the real tools on a real workspace, as a run does: through the registry."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from homeport.files.workspace import Workspace
from homeport.sandbox import Sandbox, open_sandbox
from homeport.tools.builtin import builtin_tools
from homeport.tools.port import ToolContext, ToolResult
from homeport.tools.registry import Registry
from support.run_directory import run_directory


@cache
def best_sandbox() -> Sandbox:
    """The strongest box of this machine; opened once per process, in a thread without a loop."""
    secrets = Path(mkdtemp(dir=run_directory(), prefix="secrets-"))
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, open_sandbox("auto", secrets_dir=secrets)).result()


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The built-in tools over one workspace."""

    root: Path
    sandbox: Sandbox
    registry: Registry = field(default_factory=lambda: Registry(builtin_tools()))

    def context(self, *, timeout_s: float = 60, **members: Any) -> ToolContext:
        return ToolContext(Workspace(self.root), self.sandbox, timeout_s=timeout_s, **members)

    async def use(
        self, name: str, arguments: dict[str, Any] | None = None, **more: Any
    ) -> ToolResult:
        """One call; arguments that are no Python names come in the dictionary."""
        tool = self.registry.find(name)
        assert tool is not None
        return await tool.run({**(arguments or {}), **more}, self.context())

    def put(self, path: str, content: str | bytes) -> Path:
        """Puts a file there behind the tools' back, bytes exactly as given."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file
