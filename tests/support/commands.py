"""The operator's commands, beside a running server or alone."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from support.server import Server

PATIENCE_S = 120.0


class CommandRefused(Exception):
    """The command ended with another code than 0; the message is its code and what it said."""


async def command(server: Server, *words: str) -> dict[str, Any]:
    """What `homeport <words> --json` answers in the environment of `server`.

    Raises:
        CommandRefused: It ends with another code than 0.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "homeport", *words, "--json"),
        env=server.environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            said, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise CommandRefused(f"{process.returncode}: {complaint.decode()}")
    return json.loads(said)
