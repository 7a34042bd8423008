"""From a command to the plan of its warden, and the disk work around it, off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from homeport.sandbox import environment
from homeport.sandbox.errors import CommandRefused, WorkspaceMissing
from homeport.sandbox.inside import tree
from homeport.sandbox.layout import Places
from homeport.sandbox.port import Command

if TYPE_CHECKING:
    from homeport.sandbox.inside.plan import Confinement, Plan

_FLOOD_FACTOR = 1024
_Result = TypeVar("_Result")


def check(command: Command, places: Places) -> None:
    """Refuse what no box gives. Reads the disk.

    Raises:
        CommandRefused: An empty or malformed argv, a working directory or a path outside.
        WorkspaceMissing: The workspace is not a directory.
    """
    if not command.argv or not command.argv[0]:
        raise CommandRefused("There is no program to run.")
    if any("\0" in word for word in command.argv):
        raise CommandRefused("An argument holds a NUL byte.")
    if os.path.isabs(command.cwd) or ".." in command.cwd.split("/") or "\0" in command.cwd:  # noqa: PTH117
        raise CommandRefused("The working directory must lie in the workspace.")
    if not command.workspace.is_absolute() or not command.workspace.is_dir():
        raise WorkspaceMissing(f"{command.workspace.name} is not a directory.")
    if not (command.workspace / command.cwd).is_dir():
        raise CommandRefused(f"The working directory {command.cwd} does not exist.")
    start, workspace = (command.workspace / command.cwd).resolve(), command.workspace.resolve()
    if not start.is_relative_to(workspace):
        raise CommandRefused("The working directory must lie in the workspace.")
    secrets = places.secrets.resolve()
    for opened in (command.workspace, *command.writable, *command.readable):
        if not opened.is_absolute() or secrets.is_relative_to(opened.resolve()):
            raise CommandRefused("The server's own data directory is not opened to commands.")


def plan(
    command: Command,
    confinement: Confinement,
    places: Places,
    *,
    home: str,
    temporary: str,
    live: bool,
    disks: tuple[str, ...] = (),
) -> Plan:
    """The plan of `command`, without what is peculiar to a rung. Reads the disk.

    Args:
        command: What to run.
        confinement: How.
        places: What is the same for all commands.
        home: Its HOME.
        temporary: Its TMPDIR.
        live: Whether its output is sent as it comes.
        disks: Places of the machine that it can fill, besides its workspace.

    Raises:
        CommandRefused: A variable of its environment is not passed on.
    """
    owner = command.workspace.stat()
    root = os.geteuid() == 0
    limits = command.limits
    return {
        "confinement": confinement,
        "argv": list(command.argv),
        "env": environment.cleared(
            command.env,
            path=places.toolchains.path,
            home=home,
            temporary=temporary,
            own=dict(places.toolchains.variables),
        ),
        "workspace": str(command.workspace),
        "cwd": os.path.normpath(command.workspace / command.cwd),
        "stdin": command.stdin,
        "merge": command.merge,
        "live": live,
        "network": command.network != "none",
        "uid": owner.st_uid if root else os.geteuid(),
        "gid": owner.st_gid if root else os.getegid(),
        "wall_s": limits.wall_s,
        "memory_bytes": limits.memory_bytes,
        "processes": limits.processes,
        "file_bytes": limits.file_bytes,
        "free_bytes": limits.free_bytes,
        "disks": _roomy({str(command.workspace), *disks}, limits.free_bytes),
        "cpu_s": limits.cpu_s,
        "output_bytes": limits.output_bytes,
        "flood_bytes": limits.output_bytes * _FLOOD_FACTOR,
        "wrapper": [],
        "wrapper_words": [],
        "wrapper_files": [],
        "mounts": [],
        "pins": [],
        "readable": [],
        "writable": [],
        "shielded_pids": [],
    }


def _roomy(places: set[str], free_bytes: int) -> list[str]:
    """Those of `places` whose disk has clearly more left than what must stay free."""
    return sorted(place for place in places if tree.free(place) >= 2 * free_bytes)


async def off_loop(work: Callable[[], _Result], undo: Callable[[_Result], object]) -> _Result:
    """Do `work` in a thread; when this task is cancelled meanwhile, undo what it has done."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _to_its_end(task)
        if task.exception() is None:
            await finish(lambda: undo(task.result()))
        raise


async def finish(work: Callable[[], _Result]) -> _Result:
    """Do `work` in a thread to its end, whatever is cancelled meanwhile."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _to_its_end(task)
        raise


async def _to_its_end(task: asyncio.Future[_Result]) -> None:
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({task})
