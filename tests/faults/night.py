"""Nodes on one database that are put to sleep, and clients that stay attached to them."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.follower import Follower
from faults.port import Port, client
from faults.recorder import Recorder
from faults.remains import note_remains
from faults.storm import model_server
from faults.talk import Talk
from support.server import MakeServer

Json = dict[str, Any]
TTL_S = 2.0


class Watcher:
    """A client that stays attached to one node, and remembers what it was shown."""

    def __init__(self, port: Port, session_id: str, transport: str) -> None:
        self.frames: list[Json] = []
        self._follower = Follower(
            port,
            session_id,
            name=f"{session_id} {port.node} {transport}",
            transport=transport,
            heard=self.frames.append,
        )

    async def until(self, kind: str, *, count: int = 1, **members: Any) -> Json:
        """The last of `count` frames of a kind, once it has come."""
        wanted = {"kind": kind, **members}

        def found() -> list[Json]:
            return [frame for frame in self.frames if wanted.items() <= frame.items()]

        await self._follower.until(lambda: len(found()) >= count)
        return found()[count - 1]

    async def leave(self) -> None:
        """Goes away."""
        await self._follower.leave()


@dataclass
class Night:
    """The nodes, and the history of what their clients see.

    Attributes:
        ports: By the node's name.
        talk: With the first of them.
    """

    recorder: Recorder
    ports: dict[str, Port]
    talk: Talk

    def watch(self, session_id: str, node: str, transport: str) -> Watcher:
        """A client that is attached to `node`."""
        return Watcher(self.ports[node], session_id, transport)

    def sleep(self, node: str) -> None:
        """The whole process stands still; its tools, its upstream and its clients do not."""
        os.kill(self.ports[node].server.pid, signal.SIGSTOP)
        self.recorder.note("node", node=node, how="slept")

    def wake(self, node: str) -> None:
        """It goes on as if nothing had happened."""
        self.recorder.note("node", node=node, how="woke")
        os.kill(self.ports[node].server.pid, signal.SIGCONT)


@asynccontextmanager
async def nightfall(
    make_server: MakeServer,
    database_url: str,
    folder: Path,
    *,
    nodes: tuple[str, ...],
    interval_s: float,
    tool_s: float,
) -> AsyncGenerator[Night]:
    """Nodes at work; at the end what is left is noted, and `history.jsonl` is whole."""
    workspace = folder / "workspace"
    workspace.mkdir()
    with Recorder(folder / "history.jsonl") as recorder:
        async with (
            model_server(recorder, seed=0, interval_s=interval_s, tool_s=tool_s) as model_url,
            client() as http,
        ):
            settings = {
                "ANTHROPIC_API_KEY": "sk-test",
                "ANTHROPIC_BASE_URL": model_url,
                "ALLOW_BYPASS": "true",
                "DATABASE_URL": database_url,
                "SECRET_KEY": "0123456789abcdef" * 2,
                "LEASE_TTL": str(TTL_S),
            }
            servers = {name: make_server(NODE_ID=name, **settings) for name in nodes}
            admin = servers[nodes[0]].admin
            ports = {
                name: Port(server, http, recorder, random.Random(0), node=name, headers=admin)
                for name, server in servers.items()
            }
            yield Night(recorder, ports, Talk(ports[nodes[0]], workspace))
        await note_remains(recorder, database_url, [workspace])
        recorder.finish()
