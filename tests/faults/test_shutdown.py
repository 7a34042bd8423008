"""SIGTERM while many look on and tools run: everybody is told, nothing is lost, it goes on after."""

from __future__ import annotations

import asyncio
import random
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from faults.conftest import Tell
from faults.follower import Follower
from faults.port import Port, client
from faults.recorder import Recorder, judged
from faults.remains import note_remains
from faults.storm import model_server
from faults.talk import Talk
from support.client import ask
from support.server import MakeServer

Json = dict[str, Any]
PIECE_S = 0.1
EXIT_S = 30
"""From SIGTERM to the end of the process, at most."""
STREAMS = ("sse", "socket", "shared-socket")
TRANSPORTS = (*STREAMS, "poll", "sse")
"""Five for six sessions: each session has clients of each."""
IN_A_TOOL: list[Json] = [{"pieces": 4, "calls": 1}, {"pieces": 4}]


class Quay:
    """Clients on every transport, who look on.

    Attributes:
        told: By client of a stream, how often it was told that the server goes.
        asked: The questions that were seen.
    """

    def __init__(self, port: Port) -> None:
        self.told: dict[str, int] = {}
        self.asked: set[str] = set()
        self._port = port
        self._seen: set[tuple[str, str]] = set()
        self._clients: list[tuple[str, str, Follower]] = []

    def watch(self, session_id: str, transport: str) -> None:
        """One more client."""
        name = f"{transport} {len(self._clients)}"
        if transport in STREAMS:
            self.told[name] = 0
        heard = partial(self._heard, name)
        follower = Follower(self._port, session_id, name=name, transport=transport, heard=heard)
        self._clients.append((name, session_id, follower))

    def _heard(self, name: str, frame: Json) -> None:
        self._seen.add((name, frame["kind"]))
        if frame["kind"] == "server.draining":
            self.told[name] += 1
        elif frame["kind"] == "approval.requested":
            self.asked.add(frame["approval_id"])

    async def until(self, kind: str, *sessions: str) -> None:
        """Each client of these sessions, or of all, has been sent such a frame."""
        for name, session_id, follower in self._clients:
            if not sessions or session_id in sessions:
                await follower.until(partial(self._seen.__contains__, (name, kind)))

    async def leave(self, runs: dict[str, list[str]]) -> None:
        """Each goes when it has seen the end of its session's runs."""
        for _, session_id, follower in self._clients:
            await follower.until(partial(follower.finished.issuperset, runs[session_id]))
            await follower.leave()


async def end_of(port: Port) -> int:
    """The exit code of a server that is told to end, and that says at once that it will."""
    server = port.server
    ending = asyncio.create_task(asyncio.to_thread(server.stop, signal.SIGTERM))
    statuses: list[int] = []
    async with asyncio.timeout(EXIT_S):
        while not ending.done():
            try:
                answer = await ask(port.http, "GET", f"{port.base_url}/readyz")
            except aiohttp.ClientError:
                break  # it listens no more
            statuses.append(answer.status)
            await asyncio.sleep(0.05)
        code = await ending
    port.recorder.note("node", node=port.node, how="ended", code=code)
    assert 503 in statuses
    assert statuses == sorted(statuses), "not ready stays not ready"
    return code


@dataclass(frozen=True, slots=True)
class Bustle:
    """What goes on when the server is told to end.

    Attributes:
        looking_on: Clients.
        tool_s: How long a call takes.
        answer_s: How long an answer takes.
    """

    looking_on: int
    tool_s: float
    answer_s: float

    @property
    def answer(self) -> list[Json]:
        return [{"pieces": int(self.answer_s / PIECE_S)}]


async def put_out(make_server: MakeServer, database_url: str, folder: Path, bustle: Bustle) -> Json:
    """A server is told to end in the middle of everything, and started again."""
    workspace = folder / "workspace"
    workspace.mkdir()
    with Recorder(folder / "history.jsonl") as recorder:
        async with (
            model_server(recorder, seed=0, interval_s=PIECE_S, tool_s=bustle.tool_s) as model_url,
            client() as http,
        ):
            server = make_server(
                ANTHROPIC_API_KEY="sk-test",
                ANTHROPIC_BASE_URL=model_url,
                ALLOW_BYPASS="true",
                DATABASE_URL=database_url,
                NODE_ID="n1",
                MAX_SESSIONS_PER_USER="50",
                MAX_SOCKETS_PER_USER="1000",
            )
            port = Port(server, http, recorder, random.Random(0))
            talk, quay = Talk(port, workspace), Quay(port)
            await work(talk, quay, bustle)
            assert await end_of(port) == 0
            assert all(quay.told.values()), quay.told
            await asyncio.to_thread(server.start)
            recorder.note("node", node=port.node, how="ready")
            for approval_id in sorted(quay.asked):
                await talk.decide(approval_id, decision="approve")
            await quay.leave(talk.runs)
        await note_remains(recorder, database_url, [workspace])
        recorder.finish()
    return judged(folder / "history.jsonl")


async def work(talk: Talk, quay: Quay, bustle: Bustle) -> None:
    """Sessions in a tool, in an answer, in a question and in a queue, and clients of each."""
    in_tools = [await talk.session() for _ in range(2)]
    in_answers = [await talk.session() for _ in range(2)]
    in_questions = [await talk.session(mode="default") for _ in range(2)]
    sessions = [*in_tools, *in_answers, *in_questions]
    for number in range(bustle.looking_on):
        quay.watch(sessions[number % len(sessions)], TRANSPORTS[number % len(TRANSPORTS)])
    await quay.until("session.created")
    for session_id in (*in_questions, *in_tools):
        await talk.say(session_id, IN_A_TOOL)
    await quay.until("approval.requested", *in_questions)
    for session_id in (in_tools[0], *in_answers):
        await talk.say(session_id, bustle.answer)
    await quay.until("tool.started", *in_tools)
    await quay.until("message.delta", *in_answers)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.timeout(300)
@pytest.mark.requirement("F18")
async def test_server_when_told_to_end_then_all_are_told_and_what_it_does_is_finished(
    make_server: MakeServer, database_url: str, tmp_path: Path, tell: Tell
) -> None:
    bustle = Bustle(looking_on=60, tool_s=2.0, answer_s=3.0)
    seen = await put_out(make_server, database_url, tmp_path, bustle)
    tell(seen)
    assert seen["tool_results"] == {"completed": 4}
    assert seen["messages_cut"] == {}


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.requirement("F18")
async def test_server_when_work_takes_longer_than_it_may_then_it_is_handed_on(
    make_server: MakeServer, database_url: str, tmp_path: Path, tell: Tell
) -> None:
    bustle = Bustle(looking_on=500, tool_s=40.0, answer_s=40.0)
    seen = await put_out(make_server, database_url, tmp_path, bustle)
    tell(seen)
    assert seen["tool_results"] == {"unknown": 2, "completed": 2}
    assert seen["messages_cut"] == {"draining": 2}
