"""The rungs of Linux: the full box (two engines) and Landlock."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from homeport.sandbox import bubblewrap, claims, layout, planning, protected
from homeport.sandbox.layout import Places
from homeport.sandbox.placeholders import Placeholders
from homeport.sandbox.port import Command, Outcome, Rung
from homeport.sandbox.runner import execute
from homeport.sandbox.toolchains import SYSTEM

if TYPE_CHECKING:
    from homeport.sandbox.inside.plan import Confinement, Plan

_KERNEL_FACTS = ("cpuinfo", "meminfo", "stat", "loadavg", "uptime", "version", "filesystems")
_LANDLOCK_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
OnOutput = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """An installed bubblewrap: the path of `bwrap`, and whether it knows `--disable-userns`."""

    program: str
    disable_userns: bool


class FullSandbox:
    """Namespaces, by bubblewrap or by our own launcher."""

    rung = Rung.FULL
    remedy = None

    def __init__(
        self, places: Places, engine: Bubblewrap | Literal["launcher"], *, ceiling: bool
    ) -> None:
        self.holds = (*claims.FULL, claims.limits(ceiling=ceiling))
        self._places = places
        self._placeholders = Placeholders()
        self.engine = engine

    async def run(self, command: Command, *, on_output: OnOutput | None = None) -> Outcome:
        """See `Sandbox.run`."""
        plan, guard = await planning.off_loop(lambda: self._prepare(command, on_output), let_go)
        return await carry_out(plan, guard, on_output)

    def _prepare(
        self, command: Command, on_output: OnOutput | None
    ) -> tuple[Plan, protected.Guard | None]:
        planning.check(command, self._places)
        guard = None
        if command.protect and not command.workspace_read_only:
            guard = protected.pin(command.workspace, self._placeholders)
            command = replace(
                command,
                readable=(*command.readable, *guard.readable),
                writable=(*command.writable, *guard.writable),
            )
        try:
            return self._plan(command, guard, on_output), guard
        except BaseException:
            let_go((None, guard))
            raise

    def _plan(
        self, command: Command, guard: protected.Guard | None, on_output: OnOutput | None
    ) -> Plan:
        plan = planning.plan(
            command,
            "namespaces",
            self._places,
            home=layout.HOME,
            temporary=layout.TEMPORARY,
            live=on_output is not None,
        )
        plan["mounts"] = layout.mounts(command, self._places)
        if guard is not None:
            plan["mounts"] += [("ro", str(p), str(p)) for p in guard.steering]
            plan["pins"] = list(guard.pins)
        if isinstance(self.engine, Bubblewrap):
            plan["confinement"] = "wrapped"
            plan["wrapper"], plan["wrapper_words"], plan["wrapper_files"] = bubblewrap.wrapper(
                self.engine.program,
                plan["mounts"],
                plan["pins"],
                workspace=plan["workspace"],
                cwd=plan["cwd"],
                network=plan["network"],
                disable_userns=self.engine.disable_userns,
            )
            plan["cwd"] = ""
        return plan


class LandlockSandbox:
    """The kernel's allow-list of paths, and a seccomp filter.

    Landlock sees contents. It does not see chmod, chown, utime and stat of what the server's user
    owns outside the workspace.
    """

    rung = Rung.LANDLOCK

    def __init__(self, places: Places, remedy: str | None, *, ceiling: bool) -> None:
        self.holds = (*claims.LANDLOCK, claims.limits(ceiling=ceiling))
        self._places = places
        self.remedy = remedy

    async def run(self, command: Command, *, on_output: OnOutput | None = None) -> Outcome:
        """See `Sandbox.run`."""
        home = await planning.off_loop(lambda: tempfile.mkdtemp(prefix="homeport-"), shutil.rmtree)
        try:
            plan, guard = await planning.off_loop(
                lambda: self._prepare(command, home, on_output), let_go
            )
            return await carry_out(plan, guard, on_output)
        finally:
            await planning.finish(lambda: remove_home(home))

    def _prepare(
        self, command: Command, home: str, on_output: OnOutput | None
    ) -> tuple[Plan, protected.Guard | None]:
        plan, guard = watched(command, "landlock", self._places, home, on_output)
        workspace = [str(command.workspace)]
        plan["readable"] = [
            *plan["readable"],
            *(str(p) for p in (*SYSTEM, *self._places.toolchains.directories)),
            *layout.configuration_files(network=plan["network"]),
            *(f"/proc/{name}" for name in _KERNEL_FACTS),
            *(workspace if command.workspace_read_only else ()),
        ]
        plan["writable"] = [
            *(() if command.workspace_read_only else workspace),
            *(str(p) for p in command.writable),
            *(f"/dev/{name}" for name in _LANDLOCK_DEVICES),
            home,
        ]
        plan["shielded_pids"] = [os.getpid(), -os.getpgrp()]
        return plan, guard


async def carry_out(
    plan: Plan, guard: protected.Guard | None, on_output: OnOutput | None
) -> Outcome:
    """Run `plan`, and put back afterwards what `guard` watches.

    Raises:
        SandboxFailed: The box could not be set up.
    """
    violations: tuple[str, ...] = ()
    try:
        outcome = await execute(plan, on_output=on_output)
    finally:
        if guard is not None:
            violations = await planning.finish(guard.release)
    return replace(outcome, violations=violations)


def watched(
    command: Command,
    confinement: Confinement,
    places: Places,
    home: str,
    on_output: OnOutput | None,
) -> tuple[Plan, protected.Guard | None]:
    """A plan whose protected names are put back afterwards. Reads the disk.

    Raises:
        CommandRefused: See `planning.check`.
    """
    planning.check(command, places)
    guard = None
    if command.protect and not command.workspace_read_only:
        guard = protected.watch(command.workspace)
        command = replace(command, readable=(*command.readable, *guard.readable))
    live = on_output is not None
    plan = planning.plan(
        command, confinement, places, home=home, temporary=home, live=live, disks=(home,)
    )
    plan["readable"] = [str(p) for p in command.readable]
    return plan, guard


def let_go(prepared: tuple[Plan | None, protected.Guard | None]) -> None:
    """Undo a preparation whose command will not run."""
    if prepared[1] is not None:
        prepared[1].release()


def remove_home(home: str) -> None:
    """Remove a command's private directory, whatever it has made of the modes inside."""
    for directory, below, _ in os.walk(home):
        for name in below:
            with contextlib.suppress(OSError):  # what cannot be opened up fails in rmtree, aloud
                place = Path(directory, name)
                if not place.is_symlink():
                    place.chmod(0o700)
    shutil.rmtree(home)
