"""Boxes of every rung that this machine has, and commands for them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from homeport.sandbox import Command, Limits, Sandbox, host
from homeport.sandbox.ends import Unconfined
from homeport.sandbox.layout import Places
from homeport.sandbox.linux import Bubblewrap, FullSandbox, LandlockSandbox

MACHINE = host.look()
ENGINES = [
    *(["launcher"] if MACHINE.launcher else []),
    *(["bubblewrap"] if MACHINE.bubblewrap else []),
]
BOXES = [*ENGINES, *(["landlock"] if MACHINE.landlock else [])]
PYTHON = str(Path(sys.executable).resolve())
READABLE = () if sys.base_prefix.startswith("/usr") else (Path(sys.base_prefix),)


def make(kind: str, places: Places) -> Sandbox:
    if kind == "launcher":
        return FullSandbox(places, "launcher", ceiling=MACHINE.box_ceiling)
    if kind == "bubblewrap":
        assert MACHINE.bubblewrap is not None
        engine = Bubblewrap(MACHINE.bubblewrap, disable_userns=True)
        return FullSandbox(places, engine, ceiling=MACHINE.ceiling)
    if kind == "landlock":
        return LandlockSandbox(places, MACHINE.remedy, ceiling=MACHINE.ceiling)
    return Unconfined(places, MACHINE.remedy, ceiling=MACHINE.ceiling)


def shell(
    workspace: Path, script: str, *, limits: Limits | None = None, merge: bool = False
) -> Command:
    return Command(
        ("/bin/sh", "-c", script), workspace, limits=limits or Limits(wall_s=30), merge=merge
    )


def python(
    workspace: Path,
    script: str,
    *,
    limits: Limits | None = None,
    env: dict[str, str] | None = None,
) -> Command:
    return Command(
        (PYTHON, "-I", "-S", "-c", script),
        workspace,
        env=env or {},
        limits=limits or Limits(wall_s=30),
        readable=READABLE,
    )


def processes_with(marker: str) -> list[str]:
    found: list[str] = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                line = Path("/proc", name, "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in line:
                found.append(name)
    return found
