"""Measures what crosses between two nodes: `cd tests && python -m nodes.measure [STREAMS]`.

By each carrier of wake-ups, and by none: how much later than on the node that runs it a run's text
and events are shown on the other one, how long a stop takes from there, and what it costs.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import psutil
from sqlalchemy import text

from homeport.kernel.db import Database
from nodes.pair import Node, Pair
from runs.door import Door
from support.database import postgresql_database, postgresql_template
from support.postgres import start_guardian, stop_guardian
from support.run_directory import make_run_directory, remove_run_directory
from support.sse import heard
from support.valkey import Valkey

TEXT = "PERF n=200 i=30"
SLOW = "PERF n=2000 i=30"
STOPS = 10
IDLE_S = 5.0
STATISTICS_S = 1.5
"""PostgreSQL tells its counters that late."""
FOR_EVER = aiohttp.ClientTimeout(total=None)
COMMITS = text("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
Json = dict[str, Any]


@dataclass
class Seen:
    """When a reader was sent what: text by its end, events by their kind and cursor."""

    text: dict[tuple[str, int, int], float] = field(
        default_factory=dict[tuple[str, int, int], float]
    )
    events: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    started: Json = field(default_factory=dict[str, Any])

    async def read(self, http: aiohttp.ClientSession, node: Node, session_id: str) -> None:
        """Reads to the end of one run."""
        url = f"{node.base_url}/v1/sessions/{session_id}/stream?after=0"
        async with http.get(url, headers=node.admin, timeout=FOR_EVER) as answer:
            async for frame in heard(answer):
                now, data = time.monotonic(), frame.data
                if frame.event == "message.delta":
                    end = data["offset"] + len(data["text"])
                    self.text[data["message_id"], data["block"], end] = now
                elif frame.event not in {"block.started", "stream.heartbeat"}:
                    self.events[frame.event, data["cursor"]] = now
                if frame.event == "run.started":
                    self.started = data
                if frame.event == "run.finished":
                    return


@asynccontextmanager
async def pair_of(redis_url: str | None, folder: Path) -> AsyncGenerator[Pair]:
    """Two nodes that run."""
    async with postgresql_database(postgresql_template()) as url:
        pair = Pair(folder, database_url=url, redis_url=redis_url, LEASE_TTL="12")
        pair.start()
        try:
            yield pair
        finally:
            pair.kill()


class Measure:
    """What is measured on one pair."""

    def __init__(self, pair: Pair, http: aiohttp.ClientSession) -> None:
        self._pair = pair
        self._http = http
        self._doors = [Door(http, node) for node in pair.nodes]
        self._database = Database(pair.nodes[0].settings["DATABASE_URL"])

    async def idle(self) -> str:
        """Commits of a pair that nobody uses."""
        before = await self._commits()
        await asyncio.sleep(IDLE_S)
        elapsed = IDLE_S + STATISTICS_S
        return f"idle {(await self._commits() - before) / elapsed:.1f} commits/s"

    async def lag(self, streams: int) -> str:
        """How much later the node shows it that does not run it."""
        sessions = [await self._doors[0].session(model="demo") for _ in range(streams)]
        seen = [(Seen(), Seen()) for _ in sessions]
        nodes = [psutil.Process(node.pid) for node in self._pair.nodes]
        async with asyncio.TaskGroup() as group:
            for session_id, both in zip(sessions, seen, strict=True):
                for node, reader in zip(self._pair.nodes, both, strict=True):
                    group.create_task(reader.read(self._http, node, session_id))
            await asyncio.sleep(1.0)
            cpu = sum(sum(node.cpu_times()[:2]) for node in nodes)
            commits, begun = await self._commits(), time.monotonic()
            for number, session_id in enumerate(sessions):
                await self._doors[number % 2].say(session_id, TEXT)
        elapsed = time.monotonic() - begun
        used = sum(sum(node.cpu_times()[:2]) for node in nodes) - cpu
        rate = (await self._commits() - commits) / elapsed
        ordered = [self._runner_first(*both) for both in seen]
        texts = [
            there.text[at] - when
            for here, there in ordered
            for at, when in here.text.items()
            if at in there.text
        ]
        events = [
            there.events[at] - when for here, there in ordered for at, when in here.events.items()
        ]
        pieces = sum(len(there.text) for _, there in ordered) / sum(
            len(here.text) for here, _ in ordered
        )
        return (
            f"text {_told(texts)}, {pieces:.0%} of the pieces; events {_told(events)}; "
            f"{rate:.0f} commits/s, {used / elapsed:.0%} of a core"
        )

    async def stop(self) -> str:
        """How long a run lives that is stopped on the other node."""
        lives: list[float] = []
        for _ in range(STOPS):
            session_id, seen = await self._doors[0].session(model="demo"), Seen()
            reading = asyncio.create_task(seen.read(self._http, self._pair.nodes[0], session_id))
            run_id = await self._doors[0].say(session_id, SLOW)
            while not seen.text:
                await asyncio.sleep(0.01)
            other = self._pair.other(self._pair.holder(seen.started))
            begun = time.monotonic()
            await self._doors[self._pair.nodes.index(other)].post(f"/v1/runs/{run_id}/stop")
            await reading
            lives.append(time.monotonic() - begun)
        return f"stop {_told(lives)}"

    async def close(self) -> None:
        await self._database.close()

    async def _commits(self) -> int:
        await asyncio.sleep(STATISTICS_S)
        async with self._database.read() as session:
            return await session.scalar(COMMITS) or 0

    def _runner_first(self, first: Seen, second: Seen) -> tuple[Seen, Seen]:
        holder = self._pair.holder(first.started)
        return (first, second) if holder is self._pair.nodes[0] else (second, first)


def _told(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    p99 = ordered[int(len(ordered) * 0.99) - 1]
    return f"p50 {statistics.median(ordered) * 1_000:.0f} ms p99 {p99 * 1_000:.0f} ms"


async def measure(streams: int) -> None:
    """Prints a line per carrier."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with Valkey(folder) as valkey:
            urls = {"valkey": valkey.url, "postgresql": None, "none": "redis://127.0.0.1:1"}
            for name, url in urls.items():
                (folder / name).mkdir()
                async with pair_of(url, folder / name) as pair, aiohttp.ClientSession() as http:
                    taken = Measure(pair, http)
                    print(
                        name,
                        await taken.idle(),
                        await taken.lag(streams),
                        await taken.stop(),
                        sep="; ",
                    )
                    await taken.close()


def main() -> None:
    make_run_directory()
    guardian = start_guardian()
    try:
        asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
    finally:
        if guardian is not None:
            stop_guardian(guardian)
        remove_run_directory()


if __name__ == "__main__":
    main()
