"""Run as a program, with fewer rights: opens rungs and prints what came of each, as JSON.

Usage: unprivileged.py FOLDER RUNG...
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from homeport.sandbox import Command, Limits, host, open_sandbox

BOMB = (
    "[ -e fuse ] || exit\n[ $1 -gt 0 ] || exec sleep 9\n"
    'setsid /bin/sh "$0" $(($1 - 1)) &\nsetsid /bin/sh "$0" $(($1 - 1)) &\nwait\n'
)


def commands_with(marker: str) -> int:
    """How many processes of this machine have `marker` in their command line."""
    found = 0
    for name in os.listdir("/proc"):
        try:
            line = Path("/proc", name, "cmdline").read_bytes() if name.isdigit() else b""
        except OSError:
            continue  # it ended while we looked
        found += marker.encode() in line
    return found


async def try_rung(choice: str, place: Path) -> dict[str, object]:
    workspace = place / f"workspace {choice}"
    workspace.mkdir()
    machine = host.look()
    if choice == "bubblewrap":
        machine = replace(machine, launcher=False)
    else:
        machine = replace(machine, bubblewrap=None)
    rung = "full" if choice == "bubblewrap" else choice
    sandbox = await open_sandbox(rung, secrets_dir=place / "data", host=machine)
    if sandbox.rung == "unavailable":
        return {"rung": sandbox.rung, "why": getattr(sandbox, "why", "")}
    wrote = await sandbox.run(Command(("sh", "-c", "id -u > who; echo x > .mcp.json"), workspace))
    (workspace / "fuse").touch()
    (workspace / "bomb.sh").write_text(BOMB)
    limits = Limits(wall_s=1.5, processes=64)
    bomb = await sandbox.run(Command(("sh", "bomb.sh", "7"), workspace, limits=limits))
    (workspace / "fuse").unlink()
    marker = f"left-by-{choice}-{os.getpid()}"
    daemon = f"(setsid sh -c 'while sleep 1; do : {marker}; done' </dev/null >/dev/null 2>&1 &)"
    await sandbox.run(Command(("sh", "-c", f"{daemon}; sleep 0.2"), workspace))
    return {
        "rung": sandbox.rung,
        "left": commands_with(marker),
        "wrote": (workspace / "who").exists(),
        "protected": not (workspace / ".mcp.json").exists(),
        "exit_code": wrote.exit_code,
        "bomb": bomb.reason,
        "holds": list(sandbox.holds),
        "said": bomb.output.decode(errors="replace")[-200:],
    }


async def main(place: Path, choices: list[str]) -> None:
    results = {choice: await try_rung(choice, place) for choice in choices}
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
