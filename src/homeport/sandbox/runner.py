"""Starts wardens and listens to them; nothing here blocks the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import marshal
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from homeport.sandbox.errors import SandboxFailed
from homeport.sandbox.port import Outcome, Reason

if TYPE_CHECKING:
    from homeport.sandbox.inside.plan import Plan

_HERE = Path(__file__).resolve().parent
# The two packages are made by hand, so that their __init__ (and with it the server) is not loaded.
_BOOT = (
    "import sys,types\n"
    "for name,path in (('homeport',sys.argv[1]),('homeport.sandbox',sys.argv[2])):\n"
    " sys.modules[name]=types.ModuleType(name); sys.modules[name].__path__=[path]\n"
    "from homeport.sandbox.inside.warden import main\n"
    "main()\n"
)
_HARD_END_S = 1.5  # the warden needs at most its grace of half a second and a drain of another
_MOST_WORDS = 4000
_DISCARDED = 1 << 16
_SIGXCPU, _SIGXFSZ = 24, 25
_LIMIT_SIGNALS = {_SIGXCPU: "cpu", _SIGXFSZ: "file"}

OnOutput = Callable[[bytes], None]


async def execute(plan: Plan, *, on_output: OnOutput | None) -> Outcome:
    """Carry out `plan` to its end.

    A cancellation ends the command, awaits that, and then goes on.

    Raises:
        SandboxFailed: The box could not be set up.
    """
    process = await _spawn()
    work = asyncio.create_task(_attend(process, plan, on_output))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await _end(process, work, bound=bool(plan["mounts"]))
        raise


async def _spawn() -> Process:
    arguments = ("-I", "-S", "-X", "utf8", "-c", _BOOT, str(_HERE.parent), str(_HERE))
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={},
            cwd="/",
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        process = await starting  # it has no plan yet: at the end of its orders it goes
        process.kill()
        await process.communicate()
        raise


async def _attend(process: Process, plan: Plan, on_output: OnOutput | None) -> Outcome:
    assert process.stdin is not None  # noqa: S101 - PIPE was asked for
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    words = asyncio.create_task(_few_words(process.stderr))
    content = marshal.dumps(dict(plan))  # pyright: ignore[reportArgumentType] - values of builtin types
    parts: dict[bytes, bytes] = {}
    try:
        with contextlib.suppress(ConnectionError):  # a warden that is gone says so below
            process.stdin.write(struct.pack(">Q", len(content)) + content)
            await process.stdin.drain()
        while b"R" not in parts:
            letter, size = struct.unpack(">cI", await process.stdout.readexactly(5))
            payload = await process.stdout.readexactly(size)
            if letter != b"L":
                parts[letter] = payload
            elif on_output is not None:
                on_output(payload)
    except asyncio.IncompleteReadError:
        await process.wait()
        said = (await words).decode(errors="replace").strip()
        raise SandboxFailed(f"The command's warden ended early: {said or 'killed'}") from None
    finally:
        process.stdin.close()  # if it has not ended, this ends it
        while await process.stdout.read(_DISCARDED):
            pass
        await process.wait()
        await words
    return _outcome(parts, plan)


async def _few_words(stream: asyncio.StreamReader) -> bytes:
    kept = b""
    while chunk := await stream.read(_MOST_WORDS):
        kept = (kept + chunk)[-_MOST_WORDS:]
    return kept


async def _end(process: Process, work: asyncio.Task[Outcome], *, bound: bool) -> None:
    """Ask the warden to end the command; if it does not answer in time, end the warden.

    Args:
        process: The warden.
        work: What listens to it; further cancellations do not cut the waiting for it short.
        bound: The box ends with its warden. Any other one is left to go on killing: without it
            the processes that are left would belong to nobody.
    """
    assert process.stdin is not None  # noqa: S101
    if not process.stdin.is_closing():
        process.stdin.write(b"T")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _HARD_END_S
    while not work.done():
        left = deadline - loop.time()
        if left <= 0 and bound and process.returncode is None:
            process.kill()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({work}, timeout=max(left, 0.1))
    if not work.cancelled():
        work.exception()  # seen: whoever cancelled does not want it


def _outcome(parts: dict[bytes, bytes], plan: Plan) -> Outcome:
    size, truncated, milliseconds, reason, kind, detail = (
        parts[b"R"].decode(errors="replace").split(" ", 5)
    )
    if kind == "failed":
        raise SandboxFailed(f"The sandbox could not be set up: {detail}")
    code = int(detail) if kind == "exit" else None
    signal = int(detail) if kind == "signal" else None
    if code is not None and code > 128 and plan["wrapper_files"]:
        code, signal = None, code - 128  # the wrapper tells a signal as a shell does
    limit = detail if kind == "limit" else _LIMIT_SIGNALS.get(signal or 0)
    if reason == "-":
        reason = "exited" if code is not None else "limit" if limit else "signal"
    if reason != "exited":
        code = None
    return Outcome(
        exit_code=code,
        signal=9 if kind == "limit" else signal,
        output=parts[b"O"],
        stdout=parts[b"S"],
        output_size=int(size),
        truncated=truncated == "1",
        duration_ms=int(milliseconds),
        reason=cast("Reason", reason),
        limit=limit if reason == "limit" else None,
    )
