"""Run as a program, with fewer rights: opens rungs and prints what came of each, as JSON.

Usage: unprivileged.py FOLDER RUNG...
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from homeport.sandbox import Command, Limits, host, open_sandbox

BOMB = (
    "[ -e fuse ] || exit\n[ $1 -gt 0 ] || exec sleep 9\n"
    'setsid /bin/sh "$0" $(($1 - 1)) &\nsetsid /bin/sh "$0" $(($1 - 1)) &\nwait\n'
)


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
    return {
        "rung": sandbox.rung,
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
