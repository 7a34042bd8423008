"""A run whose server is killed before its first statement, before its second, and so on to the end.

What SQLite does to itself: a fault at the n-th operation, for every n until one is too many. Where
a kill by the clock meets a moment in which nothing is written, this one meets every seam.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from faults.conftest import Tell
from faults.follower import Follower
from faults.port import Port, client
from faults.recorder import Recorder, judged
from faults.remains import note_remains
from faults.storm import model_server
from faults.talk import Talk
from homeport.kernel.db import Database
from support.server import MakeServer, Server

FALLING = Path(__file__).parent / "falling"
WITH_A_CALL: list[dict[str, Any]] = [{"pieces": 4, "calls": 1}, {"pieces": 4}]
FEWEST = 60
"""Statements and commits of a session, a message, two turns and a call: there are more than these."""


@dataclass
class Abyss:
    """A server, and where it is to fall.

    Attributes:
        fallen: Whether it has, since it was last told to.
    """

    server: Server
    port: Port
    talk: Talk
    file: Path
    fallen: bool = False

    async def fell(self, n: int) -> bool:
        """Begins a session and has a message answered; whether that took `n` statements."""
        self.fallen = False
        draft = self.file.with_suffix(".draft")
        draft.write_text(str(n))
        draft.rename(self.file)
        lifting = asyncio.create_task(self._lift())
        try:
            await self._answered()
            fell = self.fallen
            if fell:
                await lifting  # the run may be over before the start is known to be
            return fell
        finally:
            lifting.cancel()
            await asyncio.gather(lifting, return_exceptions=True)

    async def _answered(self) -> None:
        session_id = await self.talk.session()
        run_id = await self.talk.say(session_id, WITH_A_CALL)
        follower = Follower(
            self.port, session_id, name=session_id, transport="sse", heard=lambda _: None
        )
        await follower.until(lambda: run_id in follower.finished)
        await follower.leave()

    async def _lift(self) -> None:
        """Starts the server again when it has fallen."""
        while self.server.alive:
            await asyncio.sleep(0.01)
        self.fallen = True
        self._note("killed", point="statement")
        await asyncio.to_thread(self.server.start)
        self._note("ready")

    def _note(self, how: str, **members: str) -> None:
        self.port.recorder.note("node", node=self.port.node, how=how, **members)


@asynccontextmanager
async def abyss(make_server: MakeServer, database_url: str, folder: Path) -> AsyncGenerator[Abyss]:
    """A server that falls when it is told; at the end the history is whole."""
    workspace, file = folder / "workspace", folder / "fall-at"
    workspace.mkdir()
    with Recorder(folder / "history.jsonl") as recorder:
        async with (
            model_server(recorder, seed=0, interval_s=0, tool_s=0) as model_url,
            client() as http,
        ):
            server = make_server(
                ANTHROPIC_API_KEY="sk-test",
                ANTHROPIC_BASE_URL=model_url,
                ALLOW_BYPASS="true",
                DATABASE_URL=database_url,
                NODE_ID="n1",
                LEASE_TTL="2",  # what fell is taken up when its lease is over
                PYTHONPATH=str(FALLING),
                FALL_AT=str(file),
            )
            port = Port(server, http, recorder, random.Random(0))
            recorder.note("node", node=port.node, how="ready")
            talk = Talk(port, workspace)
            await talk.session()  # makes the project, which is not part of it
            yield Abyss(server, port, talk, file)
        await note_remains(recorder, database_url, [workspace])
        recorder.finish()


async def sound(url: str) -> bool:
    """Whether SQLite finds nothing wrong with its file; PostgreSQL has no such question."""
    if not url.startswith("sqlite"):
        return True
    database = Database(url)
    try:
        async with database.read() as session:
            return await session.scalar(text("PRAGMA integrity_check")) == "ok"
    finally:
        await database.close()


async def falls(
    make_server: MakeServer, database_url: str, folder: Path, numbers: Iterable[int]
) -> int:
    """Kills before each of these statements, until one is never made; how many kills there were."""
    count = 0
    async with abyss(make_server, database_url, folder) as edge:
        for n in numbers:
            if not await edge.fell(n):
                break
            count += 1
    assert await sound(database_url)
    return count


@pytest.mark.timeout(300)
@pytest.mark.requirement("F3")
async def test_run_when_its_server_is_killed_before_some_statements_then_it_is_done_once_and_whole(
    make_server: MakeServer, database_url: str, tmp_path: Path, dialect: str
) -> None:
    numbers = random.Random(7).sample(range(1, FEWEST), 3 if dialect == "sqlite" else 1)
    assert await falls(make_server, database_url, tmp_path, numbers) == len(numbers)
    assert judged(tmp_path / "history.jsonl")["kills"] == len(numbers)


@pytest.mark.faults
@pytest.mark.timeout(3_600)
@pytest.mark.requirement("F3")
async def test_run_when_its_server_is_killed_before_every_statement_then_it_is_done_once_and_whole(
    make_server: MakeServer, database_url: str, tmp_path: Path, tell: Tell
) -> None:
    count = await falls(make_server, database_url, tmp_path, itertools.count(1))
    seen = judged(tmp_path / "history.jsonl")
    tell(seen)
    assert seen["kills"] == count > FEWEST
