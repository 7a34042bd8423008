"""A node that sleeps past its lease: it wakes, writes nothing stale, and shows nothing stale."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from faults.conftest import Tell
from faults.night import TTL_S, Night, Watcher, nightfall
from faults.recorder import judged
from faults.rounds import rounds
from support.server import MakeServer

Json = dict[str, Any]
NODES = ("n1", "n2")
TRANSPORTS = ("sse", "shared-socket")
IN_A_MESSAGE: list[Json] = [{"pieces": 120}]
IN_A_TOOL: list[Json] = [{"pieces": 4, "calls": 1}, {"pieces": 4}]
TOOL_S = 0.75 * TTL_S
"""A call ends while its node sleeps: its result is the first thing that the node wants to write."""
only_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


async def sleep_through(night: Night, turns: list[Json], *, behind: str) -> None:
    """The node that runs falls asleep behind a frame, is taken for dead, and wakes."""
    session_id = await night.talk.session()
    watchers = {
        (node, transport): night.watch(session_id, node, transport)
        for node in NODES
        for transport in TRANSPORTS
    }
    await night.talk.say(session_id, turns)
    begun = await watchers["n1", "sse"].until("run.started")
    sleeper = begun["node"].partition(":")[0]
    [other] = set(NODES) - {sleeper}
    attached = [watchers[sleeper, transport] for transport in TRANSPORTS]
    for watcher in attached:
        await watcher.until(behind)
    night.sleep(sleeper)
    await watchers[other, "sse"].until("run.started", epoch=begun["epoch"] + 1)
    await watchers[other, "sse"].until("message.started", count=2)
    shown = [len(watcher.frames) for watcher in attached]
    night.wake(sleeper)
    for watcher in watchers.values():
        await watcher.until("run.finished", status="completed")
        await watcher.leave()
    for watcher, before in zip(attached, shown, strict=True):
        assert newest_epoch(watcher, after=before) == begun["epoch"] + 1


def newest_epoch(watcher: Watcher, *, after: int) -> int:
    """Of what a client was shown behind so many frames."""
    epochs = [f["epoch"] for f in watcher.frames[after:] if f["kind"] == "run.started"]
    return max(epochs)


async def whole_night(
    make_server: MakeServer, database_url: str, folder: Path, *, times: int
) -> dict[str, Any]:
    """Falls asleep in messages and in tools; what the history has seen, and nothing wrong in it."""
    async with nightfall(
        make_server, database_url, folder, nodes=NODES, interval_s=0.03, tool_s=TOOL_S
    ) as night:
        for _ in range(times):
            await sleep_through(night, IN_A_MESSAGE, behind="message.delta")
            await sleep_through(night, IN_A_TOOL, behind="tool.started")
    seen = judged(folder / "history.jsonl")
    assert seen["taken_over"] == 2 * times
    assert seen["tool_results"] == {"unknown": times}
    assert seen["messages_cut"] == {"crashed": times}
    return seen


@only_postgresql
@pytest.mark.timeout(300)
@pytest.mark.requirement("F22")
async def test_node_when_it_sleeps_past_its_lease_then_it_writes_and_shows_nothing_stale(
    make_server: MakeServer, database_url: str, tmp_path: Path, tell: Tell
) -> None:
    tell(await whole_night(make_server, database_url, tmp_path, times=1))


@only_postgresql
@pytest.mark.faults
@pytest.mark.timeout(3_600)
@pytest.mark.requirement("F22")
async def test_node_when_it_sleeps_again_and_again_then_it_writes_and_shows_nothing_stale(
    make_server: MakeServer, database_url: str, tmp_path: Path, tell: Tell
) -> None:
    tell(await whole_night(make_server, database_url, tmp_path, times=rounds(0.25)))


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.timeout(300)
async def test_node_when_nobody_takes_over_then_it_goes_on_where_it_fell_asleep(
    make_server: MakeServer, database_url: str, tmp_path: Path, tell: Tell
) -> None:
    async with nightfall(
        make_server, database_url, tmp_path, nodes=("n1",), interval_s=0.03, tool_s=TOOL_S
    ) as night:
        for turns, behind in ((IN_A_MESSAGE, "message.delta"), (IN_A_TOOL, "tool.started")):
            session_id = await night.talk.session()
            watcher = night.watch(session_id, "n1", "sse")
            await night.talk.say(session_id, turns)
            await watcher.until(behind)
            night.sleep("n1")
            await asyncio.sleep(1.5 * TTL_S)
            night.wake("n1")
            await watcher.until("run.finished", status="completed")
            await watcher.leave()
    seen = judged(tmp_path / "history.jsonl")
    tell(seen)
    assert (seen["taken_over"], seen["messages_cut"]) == (0, {})
    assert seen["tool_results"] == {"completed": 1}
