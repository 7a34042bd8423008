"""Two servers on one PostgreSQL, one data directory and one Valkey."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from support.client import ask
from support.server import Server

PATIENCE_S = 60.0
TTL_S = 2


class Node(Server):
    """One of the two; the first admin's key was printed by the one that started first."""

    def __init__(self, folder: Path, name: str, **settings: str) -> None:
        folder.mkdir()
        super().__init__(folder, NODE_ID=name, **settings)
        self.name = name

    def share_key(self, other: Server) -> None:
        """Takes the other's key for this one's."""
        self._admin_key = other.admin_key

    @property
    def gone(self) -> bool:
        """Whether its process has ended, or was never started."""
        return self._process is None or self._process.poll() is not None

    @contextmanager
    def asleep(self) -> Generator[None]:
        """Lets it stand still while the block lasts."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


class Pair:
    """Both of them.

    Args:
        folder: Of the data directory and of what they say.
        settings: Of both.
    """

    def __init__(
        self, folder: Path, *, database_url: str, redis_url: str | None, **settings: str
    ) -> None:
        both = {
            "DATABASE_URL": database_url,
            "DATA_DIR": str(folder / "data"),
            "LEASE_TTL": str(TTL_S),
            "MAX_SESSIONS_PER_USER": "1000",
            "WORKSPACE_ROOTS": str(folder),
            "ALLOW_BYPASS": "true",
            "DEMO_PACE": "0",
            **({} if redis_url is None else {"REDIS_URL": redis_url}),
            **settings,
        }
        self.folder = folder
        self.nodes = Node(folder / "n1", "n1", **both), Node(folder / "n2", "n2", **both)

    def start(self) -> None:
        """Starts whichever is not running; in the main thread, with which they end."""
        first, second = self.nodes
        for node in self.nodes:
            if node.gone:
                node.start()
        second.share_key(first)

    def kill(self) -> None:
        """kill -9 for both."""
        for node in self.nodes:
            node.kill()

    def other(self, node: Node) -> Node:
        """The one that is not `node`."""
        first, second = self.nodes
        return second if node is first else first

    def holder(self, started: dict[str, Any]) -> Node:
        """The one that said `run.started`."""
        name = started["node"].partition(":")[0]
        return next(node for node in self.nodes if node.name == name)


async def until_carried(
    http: aiohttp.ClientSession, node: Node, *, carried: bool
) -> dict[str, Any]:
    """The component of `/readyz`, once it says so; the node is ready all the while."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await ask(http, "GET", f"{node.base_url}/readyz")
            assert answer.status == 200, await answer.text()
            component = (await answer.json())["components"]["wakeups"]
            assert component["ok"]
            if component["detail"]["carried"] == carried:
                return component["detail"]
            await asyncio.sleep(0.05)
