"""The two ends of the ladder below any box: the operator's word for none, and nothing at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable

from homeport.sandbox import claims, linux, planning
from homeport.sandbox.errors import SandboxUnavailable
from homeport.sandbox.layout import Places
from homeport.sandbox.port import Command, Outcome, Rung


class Unconfined:
    """`SANDBOX=none`: the operator's explicit word. Limits, environment and end still hold."""

    rung = Rung.NONE

    def __init__(self, places: Places, remedy: str | None, *, ceiling: bool) -> None:
        self.holds = (claims.limits(ceiling=ceiling),)
        self._places = places
        self.remedy = remedy

    async def run(
        self, command: Command, *, on_output: Callable[[bytes], None] | None = None
    ) -> Outcome:
        """See `Sandbox.run`."""
        home = await planning.off_loop(lambda: tempfile.mkdtemp(prefix="homeport-"), shutil.rmtree)
        try:
            plan, guard = await planning.off_loop(
                lambda: linux.watched(command, "plain", self._places, home, on_output),
                linux.let_go,
            )
            return await linux.carry_out(plan, guard, on_output)
        finally:
            await planning.finish(lambda: linux.remove_home(home))


class Unavailable:
    """No rung that was asked for holds here."""

    rung = Rung.UNAVAILABLE
    holds = ()

    def __init__(self, remedy: str, why: str) -> None:
        self.remedy = remedy
        self.why = why

    async def run(
        self, command: Command, *, on_output: Callable[[bytes], None] | None = None
    ) -> Outcome:
        """Refuse.

        Raises:
            SandboxUnavailable: Always.
        """
        del command, on_output
        raise SandboxUnavailable(
            f"No sandbox holds on this machine ({self.why}). To fix it, run: {self.remedy}",
            remedy=self.remedy,
        )
