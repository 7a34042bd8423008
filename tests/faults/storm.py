"""Kills a server again and again, by a schedule that a seed decides, while people work with it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from faults.conversation import MANNERS, Manner, Person
from faults.model import Model
from faults.port import Port, client
from faults.recorder import Recorder
from faults.remains import note_remains
from support.server import Server, ServerFailed
from support.upstream import upstream

AT_MOST_S = 3.0
"""A point that does not come is not waited for any longer; the kill strikes anyway."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a kill is to strike: up to `within_s` seconds behind the next of `kinds`.

    `start` is killed a second time, while it starts; `drain` is told to end, and killed meanwhile.
    """

    name: str
    kinds: frozenset[str]
    within_s: float


POINTS = (
    Point("turn", frozenset({"block.started", "message.delta"}), 0.1),
    Point("message", frozenset({"message.started", "message.completed"}), 0.02),
    Point("tool", frozenset({"tool.started"}), 0.4),
    Point("append", frozenset({"say", "start", "stop"}), 0.03),
    Point("approval", frozenset({"approval.requested"}), 0.3),
    Point("answer", frozenset({"answer"}), 0.03),
    Point("end", frozenset({"run.finished"}), 0.03),
    Point("compaction", frozenset({"compaction.started"}), 0.2),
    Point("drain", frozenset({"message.delta", "tool.started"}), 1.0),
    Point("start", frozenset(), 1.0),
)


def schedule(seed: int, rounds: int) -> list[tuple[Point, float]]:
    """Where each round's kill is to strike, and how many seconds behind that; every point in turn."""
    chance = random.Random(seed)
    points: list[Point] = []
    while len(points) < rounds:
        points += chance.sample(POINTS, len(POINTS))
    return [(point, chance.uniform(0, point.within_s)) for point in points[:rounds]]


class Storm:
    """One server under fire.

    Args:
        recorder: Keeps the history, which is whole when `rage` returns.
        folder: Of the workspaces.
        manners: Of the people who work with it.
    """

    def __init__(
        self,
        server: Server,
        recorder: Recorder,
        folder: Path,
        *,
        seed: int,
        manners: Sequence[Manner] = MANNERS,
    ) -> None:
        self._manners = manners
        self._server = server
        self._recorder = recorder
        self._folder = folder
        self._seed = seed

    async def rage(self, rounds: int, *, database_url: str) -> None:
        """Kills the server `rounds` times, waits until all is done, and notes what is left."""
        async with client() as http:
            port = Port(self._server, http, self._recorder, random.Random(self._seed))
            people = [
                Person(port, manner, self._folder / f"p{number}", name=f"p{number}")
                for number, manner in enumerate(self._manners)
            ]
            for person in people:
                await person.settle()
            self._note("ready")
            async with asyncio.TaskGroup() as group:
                for person in people:
                    group.create_task(person.work())
                for point, delay in schedule(self._seed, rounds):
                    await self._strike(port, point, delay)
                for person in people:
                    person.ending = True
        workspaces = [self._folder / f"p{number}" for number in range(len(people))]
        await note_remains(self._recorder, database_url, workspaces)
        self._recorder.finish()

    async def _strike(self, port: Port, point: Point, delay: float) -> None:
        if point.kinds:
            await port.ears.next(point.kinds, at_most_s=AT_MOST_S)
            if point.name == "drain":
                os.kill(self._server.pid, signal.SIGTERM)
            await asyncio.sleep(delay)
        self._kill(point)
        if point.name == "start":
            starting = asyncio.create_task(asyncio.to_thread(self._server.start))
            await asyncio.sleep(delay)
            self._kill(point)
            with suppress(ServerFailed):
                await starting
            self._server.kill()
        await asyncio.to_thread(self._server.start)
        self._note("ready")

    def _kill(self, point: Point) -> None:
        self._server.kill()
        self._note("killed", point=point.name)

    def _note(self, how: str, **members: str) -> None:
        self._recorder.note("node", node="n1", how=how, **members)


@asynccontextmanager
async def model_server(
    recorder: Recorder, *, seed: int, interval_s: float = 0.005, tool_s: float = 0.15
) -> AsyncGenerator[str]:
    """The address of a model that notes what it says."""
    async with upstream() as running:
        Model(recorder, seed=seed, interval_s=interval_s, tool_s=tool_s).serve(running)
        yield running.url
