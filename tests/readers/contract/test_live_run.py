"""A run while it happens: clients on every transport that are cut and come back know it whole."""

from __future__ import annotations

import asyncio
import random

import pytest

from readers.api import Api
from readers.contract.clients import Chat, Native
from readers.contract.followers import Follower
from readers.contract.script import replies
from readers.contract.seeds import chance
from readers.contract.stage import Stage, end_of, follow_chat, read_to
from readers.contract.transports import ALL, NATIVE


async def follow_live(stage: Stage, api: Api, *, key: str, source: random.Random) -> int:
    """Plays a run to five clients that are cut; returns how often they were."""
    stage.claude.script(*replies(source, interval_s=0.002, size=60))
    session_id = await api.session(permission_mode="bypass")
    followers = [
        Follower(each, session_id, random.Random(source.random())) for each in reversed(ALL)
    ]
    async with asyncio.TaskGroup() as group:
        for each in followers:
            group.create_task(each.follow(api, key=key))
    unbroken = Native()
    await read_to(NATIVE[0], api, session_id, unbroken, cursor=await end_of(api, session_id))
    chat = Chat()
    for frame in await follow_chat(api, session_id, key):
        chat.apply(frame)
    for each in followers:
        expected = chat if isinstance(each.client, Chat) else unbroken
        assert each.client.knows() == expected.knows(), each.transport.name
    assert (await api.get(f"/v1/sessions/{session_id}/runs"))["total"] == 1
    return sum(each.cuts for each in followers)


@pytest.mark.requirement("F4", "F6")
async def test_live_run_when_its_readers_are_cut_again_and_again_then_all_know_it_whole(
    stage: Stage, admin: Api
) -> None:
    with chance() as source:
        assert await follow_live(stage, admin, key=f"live-{source.random()}", source=source) > 20


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.requirement("F4", "F6")
async def test_live_runs_when_there_are_fifty_then_all_of_their_readers_know_them_whole(
    stage: Stage, admin: Api
) -> None:
    with chance() as source:
        for _ in range(50):
            key = f"live-{source.random()}"
            await follow_live(stage, admin, key=key, source=source)
