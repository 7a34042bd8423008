"""A sandbox that runs everything in another one and remembers what it was asked to run."""

from __future__ import annotations

from collections.abc import Callable

from homeport.sandbox.port import Command, Outcome, Rung, Sandbox


class Recorder:
    """Wraps `inner`; `commands` lists what came, in order."""

    def __init__(self, inner: Sandbox) -> None:
        self._inner = inner
        self.commands: list[Command] = []

    @property
    def rung(self) -> Rung:
        return self._inner.rung

    @property
    def holds(self) -> tuple[str, ...]:
        return self._inner.holds

    @property
    def remedy(self) -> str | None:
        return self._inner.remedy

    async def run(
        self, command: Command, *, on_output: Callable[[bytes], None] | None = None
    ) -> Outcome:
        self.commands.append(command)
        return await self._inner.run(command, on_output=on_output)
