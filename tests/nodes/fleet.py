"""Many people on two nodes: every request goes to whichever one it happens to reach.

What they saw and what the log holds goes into a history, which `faults.checker` judges.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from faults.follower import TRANSPORTS, Follower
from faults.model import plan
from faults.port import Port
from faults.recorder import Recorder
from nodes.pair import Pair
from support.server import Server

AT_ONCE = 8
"""Conversations that go on side by side."""
RUNS = (1, 5)
"""In one conversation, between these."""
Json = dict[str, Any]


@dataclass
class Balanced(Port):
    """All nodes behind one address: no two requests need reach the same one."""

    servers: tuple[Server, ...] = ()

    @property
    def base_url(self) -> str:
        """Of any of them."""
        return self.chance.choice(self.servers).base_url


class Fleet:
    """The nodes, and the people who use them.

    Args:
        pair: Both running.
        recorder: Keeps the history.
    """

    def __init__(
        self, pair: Pair, http: aiohttp.ClientSession, recorder: Recorder, *, seed: int
    ) -> None:
        self._chance = random.Random(seed)
        self._balanced = Balanced(
            pair.nodes[0],
            http,
            recorder,
            self._chance,
            headers=pair.nodes[0].admin,
            servers=pair.nodes,
        )
        self._ports = [
            Port(node, http, recorder, self._chance, node=node.name) for node in pair.nodes
        ]
        self._project = ""
        self._places = asyncio.Semaphore(AT_ONCE)

    async def work(self, runs: int) -> None:
        """Makes so many runs, all of them over when it returns."""
        answer = await self._balanced.http.post(
            f"{self._balanced.base_url}/v1/projects",
            json={"name": "fleet"},
            headers=self._balanced.headers,
        )
        self._project = (await answer.json())["id"]
        async with asyncio.TaskGroup() as group:
            number = 0
            while runs:
                count = min(runs, self._chance.randint(*RUNS))
                group.create_task(self._converse(f"c{number}", count))
                runs -= count
                number += 1

    async def _converse(self, name: str, runs: int) -> None:
        async with self._places:
            body = {"name": name, "project_id": self._project, "permission_mode": "bypass"}
            status, made = await self._balanced.insist(
                "start", name, "/v1/sessions", body, key=name
            )
            assert status == 201, made
            session_id: str = made["id"]
            ports = self._chance.sample(self._ports, self._chance.choice([1, 1, 2]))
            readers = [self._reader(port, session_id, name) for port in ports]
            asked: list[str] = []
            for number in range(runs):
                asked.append(await self._say(session_id, f"{name}-{number}"))
                if self._chance.random() < 0.1:
                    await self._stop(asked[-1])
                if self._chance.random() < 0.5:  # else the next one queues behind it
                    await readers[0].until(_has_seen(readers[0], asked))
            for reader in readers:
                await reader.until(_has_seen(reader, asked))
                await reader.until(self._has_all(session_id, reader))
                await reader.leave()

    def _reader(self, port: Port, session_id: str, name: str) -> Follower:
        return Follower(
            port,
            session_id,
            name=f"{name}/{port.node}",
            transport=self._chance.choice(list(TRANSPORTS)),
            heard=lambda _: None,
            cuts=random.Random(self._chance.random()) if self._chance.random() < 0.3 else None,
        )

    def _has_all(self, session_id: str, reader: Follower) -> Callable[[], Awaitable[bool]]:
        async def has_all() -> bool:
            path = f"/v1/sessions/{session_id}/events?after={reader.cursor}"
            return not (await self._balanced.get(path))["events"]

        return has_all

    async def _say(self, session_id: str, name: str) -> str:
        words = plan(name, [{"pieces": self._chance.randint(1, 6)}])
        body = {"content": words, "client_message_id": name}
        told = {"session_id": session_id, "text": words}
        path = f"/v1/sessions/{session_id}/messages"
        tries = [
            self._balanced.insist("say", name, path, body, key=name, **told)
            for _ in range(
                1 + (self._chance.random() < 0.25)
            )  # to both nodes at once, now and then
        ]
        (status, answer), *_ = await asyncio.gather(*tries)
        assert status == 202, answer
        return answer["run_id"]

    async def _stop(self, run_id: str) -> None:
        await asyncio.sleep(self._chance.uniform(0, 0.1))
        await self._balanced.insist("stop", run_id, f"/v1/runs/{run_id}/stop", {})


def _has_seen(reader: Follower, runs: list[str]) -> Callable[[], bool]:
    return lambda: reader.finished.issuperset(runs)
