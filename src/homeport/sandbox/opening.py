"""Chooses the rung: the strongest that proves itself, or exactly the one that was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from homeport.sandbox import host as machine
from homeport.sandbox import selftest, toolchains
from homeport.sandbox.ends import Unavailable, Unconfined
from homeport.sandbox.host import Host
from homeport.sandbox.layout import Places
from homeport.sandbox.linux import Bubblewrap, FullSandbox, LandlockSandbox
from homeport.sandbox.port import Rung, Sandbox
from homeport.sandbox.seatbelt import SeatbeltSandbox

_CHOICES = ("auto", "full", "seatbelt", "landlock", "none")


async def open_sandbox(choice: str, *, secrets_dir: Path, host: Host | None = None) -> Sandbox:
    """The sandbox of this server; its rung has just been tried out.

    Args:
        choice: `auto` takes the strongest rung that holds; any other name takes that rung or, if
            it does not hold, a sandbox of rung `unavailable` that refuses every command.
        secrets_dir: The server's data directory, which no command sees. Made if it is absent.
        host: The machine; a test gives another one.

    Raises:
        ValueError: `choice` is not one of the five.
    """
    if choice not in _CHOICES:
        message = f"SANDBOX is one of {', '.join(_CHOICES)}; it is {choice!r}"
        raise ValueError(message)
    host = host or await asyncio.to_thread(machine.look)
    found = await asyncio.to_thread(
        toolchains.find, list(host.path), home=host.home, secrets=secrets_dir
    )
    places = Places(found, secrets_dir)
    if choice == "none":
        return Unconfined(places, host.remedy, ceiling=host.ceiling)
    reasons: list[str] = []
    async for candidate in _candidates(host, places, reasons):
        if choice not in {"auto", candidate.rung.value}:
            continue
        why_not = await selftest.failure_of(candidate, secrets_dir=secrets_dir)
        if why_not is None:
            return candidate
        reasons.append(f"{candidate.rung}: {why_not}")
    wanted = "any rung" if choice == "auto" else f"the rung {choice}"
    return Unavailable(host.remedy, "; ".join(reasons) or f"{wanted} is not built for it")


async def _candidates(host: Host, places: Places, reasons: list[str]) -> AsyncIterator[Sandbox]:
    """Every rung that may be tried, the strongest first."""
    engines: list[str] = ["launcher"] if host.launcher else []
    if host.bubblewrap is not None:
        # A root server's commands run as the workspace's owner, which only our launcher can do.
        engines.insert(len(engines) if host.root else 0, host.bubblewrap)
    for engine in engines:
        if engine == "launcher":
            yield FullSandbox(places, "launcher", ceiling=host.box_ceiling)
            continue
        try:
            modern = await machine.knows_disable_userns(engine)
        except (OSError, TimeoutError) as error:
            reasons.append(f"{Rung.FULL}: {engine}: {error}")
            continue
        yield FullSandbox(places, Bubblewrap(engine, modern), ceiling=host.ceiling)
    if host.sandbox_exec is not None:
        yield SeatbeltSandbox(places, host.sandbox_exec)
    if host.landlock:
        yield LandlockSandbox(places, host.remedy, ceiling=host.ceiling)
