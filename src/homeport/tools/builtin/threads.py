"""Blocking work off the event loop, and what becomes of it when its call is cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

Answer = TypeVar("Answer")
GRACE_S = 1.0
# Searches may take many seconds each; they must not take the threads that serve everybody's files.
SEARCHES = ThreadPoolExecutor(max_workers=4, thread_name_prefix="search")


async def to_its_end(work: Callable[[], Answer]) -> Answer:
    """Runs short work that changes files; a cancelled call waits up to a second for its end.

    So a run that was stopped does not go on writing behind the back of whoever stopped it.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_seen)
        await asyncio.wait({task}, timeout=GRACE_S)
        raise


async def stoppable(work: Callable[[threading.Event], Answer]) -> Answer:
    """Runs work that only looks, with an event that tells it that nobody waits any more."""
    stop = threading.Event()
    try:
        return await asyncio.get_running_loop().run_in_executor(SEARCHES, partial(work, stop))
    finally:
        stop.set()


def _seen(task: asyncio.Future[Answer]) -> None:
    """Takes the exception that nobody waits for: the call was cancelled, its outcome is moot."""
    if not task.cancelled():
        task.exception()
