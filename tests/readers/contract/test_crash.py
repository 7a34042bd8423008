"""kill -9 in the middle of an answer: clients on every transport come back and know it whole."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from readers.api import Api, admin_of
from readers.contract.clients import Chat, Native
from readers.contract.followers import Follower
from readers.contract.seeds import chance
from readers.contract.stage import SETTINGS, end_of, follow_chat, read_to
from readers.contract.transports import ALL, NATIVE
from support.server import Server
from support.upstream import Reply, text, upstream

AFTER = "And after the crash: \U0001f642."
SPOKEN = [f"word {number} \U0001f600 " for number in range(400)]


async def kill_in_mid_answer(server: Server, api: Api, source: random.Random) -> None:
    """Five clients follow one run; the server is killed while they do, and comes back."""
    session_id, key = await api.session(permission_mode="bypass"), f"crash-{source.random()}"
    followers = [
        Follower(each, session_id, random.Random(source.random())) for each in reversed(ALL)
    ]
    async with asyncio.TaskGroup() as group:
        for each in followers:
            group.create_task(each.follow(api, key=key))
        await asyncio.gather(*[each.seen.wait() for each in followers])
        await asyncio.sleep(source.random() / 4)
        await asyncio.to_thread(server.restart)
    unbroken, chat = Native(), Chat()
    await read_to(NATIVE[0], api, session_id, unbroken, cursor=await end_of(api, session_id))
    for frame in await follow_chat(api, session_id, key):
        chat.apply(frame)
    kinds = [event["kind"] for event in unbroken.events]
    assert kinds.count("message.interrupted") == 1
    kept = "".join(next(iter(unbroken.texts.values())))  # nothing, if it was killed that early
    assert "".join(SPOKEN).startswith(kept)
    for each in followers:
        client = each.client
        if isinstance(client, Chat):  # what it was shown is not taken back, and nothing comes twice
            shown = client.text.removesuffix(f"\n\n{AFTER}")
            assert client.text != shown
            assert "".join(SPOKEN).startswith(shown)
            assert shown.startswith(kept)
            assert client.knows() == (client.text, *_rest(chat))
        else:
            assert client.knows() == unbroken.knows(), each.transport.name


def _rest(chat: Chat) -> tuple[object, ...]:
    return chat.agent, chat.finish, chat.done


async def crash(folder: Path, *, rounds: int) -> None:
    with chance() as source:
        async with upstream() as claude:
            with Server(folder, ANTHROPIC_BASE_URL=claude.url, **SETTINGS) as server:
                async with admin_of(server) as api:
                    for _ in range(rounds):
                        claude.script(Reply(text(*SPOKEN), interval_s=0.005), Reply(text(AFTER)))
                        await kill_in_mid_answer(server, api, source)


@pytest.mark.requirement("F1", "F4")
async def test_readers_when_the_server_is_killed_in_mid_answer_then_all_know_the_run_whole(
    tmp_path: Path,
) -> None:
    await crash(tmp_path, rounds=1)


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.requirement("F1", "F4")
async def test_readers_when_the_server_is_killed_twenty_times_then_all_know_each_run_whole(
    tmp_path: Path,
) -> None:
    await crash(tmp_path, rounds=20)
