"""One server with a scripted model for the whole suite, and one run that was played on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from readers.api import Api
from readers.contract.stage import SETTINGS, Stage
from readers.contract.transports import ALL, NATIVE, Transport
from support.loop_thread import LoopThread
from support.server import Server
from support.upstream import upstream


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The server of the suite; nobody stops it."""
    with LoopThread() as thread:
        claude = thread.hold(upstream())
        folder = tmp_path_factory.mktemp("contract")
        with Server(folder, ANTHROPIC_BASE_URL=claude.url, **SETTINGS) as server:
            yield Stage(server, claude)


@pytest.fixture
async def admin(stage: Stage) -> AsyncIterator[Api]:
    async with stage.admin() as opened:
        yield opened


@pytest.fixture(params=ALL, ids=lambda each: each.name)
def transport(request: pytest.FixtureRequest) -> Transport:
    """Each way to read, the chat wire among them."""
    found: Transport = request.param
    return found


@pytest.fixture(params=NATIVE, ids=lambda each: each.name)
def native(request: pytest.FixtureRequest) -> Transport:
    """Each way to read our own frames."""
    found: Transport = request.param
    return found
