"""Ends tasks and sees them end."""

from __future__ import annotations

import asyncio
from typing import Any


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancels what is left of `tasks`; what they raised is still theirs to tell."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


def failure_of(task: asyncio.Task[Any]) -> BaseException | None:
    """What a task that is done has raised; None when it was cancelled."""
    return None if task.cancelled() else task.exception()
