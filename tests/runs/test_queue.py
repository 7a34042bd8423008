"""How many sessions of one user are at work at once, on one node and on two; the rest waits."""

from __future__ import annotations

import asyncio
import json

import pytest

from runs.conftest import OwnDoor
from runs.door import Door, of_kind, texts, whole
from support.client import ask
from support.upstream import Reply, Upstream, text, tool_use

PLACES = 10
"""MAX_SESSIONS_PER_USER, as it is by itself."""
NODES_PLACES = 2
ENDLESS = Reply(text(*(f"{number} " for number in range(10_000))), interval_s=0.2)


async def status_of(door: Door, run_id: str) -> str:
    return (await door.get(f"/v1/runs/{run_id}"))["status"]


async def has_status(door: Door, run_id: str, status: str) -> None:
    async with asyncio.timeout(60):
        while await status_of(door, run_id) != status:
            await asyncio.sleep(0.05)


async def test_run_when_its_user_has_ten_at_work_then_the_eleventh_waits_for_a_place(
    door: Door, claude: Upstream
) -> None:
    ls = tool_use("Bash", json.dumps({"command": "ls"}), id="toolu_1")
    claude.script(Reply(ls, stop_reason="tool_use"))
    asking = await door.session(permission_mode="default")
    question = await door.say(asking, "look")
    await has_status(door, question, "waiting")  # for people: that is at work, too
    claude.script(*[ENDLESS] * (PLACES - 1), Reply(text("At last.")))
    busy = [await door.session() for _ in range(PLACES - 1)]
    runs = [await door.say(session_id, "count") for session_id in busy]
    for run_id in runs:
        await has_status(door, run_id, "running")
    eleventh = await door.session()
    queued = await door.say(eleventh, "and me?")
    someone = await registered(door)
    events = await someone.ran(await someone.session(model="demo"), "hello")
    assert events[-1]["status"] == "completed"
    assert await status_of(door, queued) == "queued"  # those who came later have been served
    assert len(claude.requests) == PLACES
    await door.post(f"/v1/runs/{runs[0]}/stop")
    events = await door.over(eleventh, queued)
    assert list(texts(events).values()) == ["At last."]


async def registered(door: Door) -> Door:
    """The same server for somebody else."""
    account = {
        "username": "grace",
        "email": "grace@example.org",
        "password": "tern puffin gannet 42",
    }
    answer = await ask(door.http, "POST", f"{door.server.base_url}/v1/auth/register", json=account)
    token = (await answer.json())["access_token"]
    return Door(door.http, door.server, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.requirement("F21")
@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_run_when_two_nodes_claim_at_once_then_their_user_has_no_more_places(
    own_door: OwnDoor, claude: Upstream
) -> None:
    limits = {"MAX_SESSIONS_PER_USER": str(NODES_PLACES), "SECRET_KEY": "s" * 40}
    first = own_door(**limits, NODE_ID="n1")
    second = own_door(**limits, NODE_ID="n2")
    second.headers = first.server.admin
    claude.script(*[Reply(text("a", "b", "c"), interval_s=0.02)] * 40)
    sessions = [await first.session() for _ in range(16)]
    runs = await asyncio.gather(
        *(
            (first, second)[number % 2].say(session_id, "hello")
            for number, session_id in enumerate(sessions)
        )
    )
    moments: list[tuple[str, int]] = []
    for session_id, run_id in zip(sessions, runs, strict=True):
        events = await second.over(session_id, run_id)
        assert events[-1]["status"] == "completed"
        (started,) = of_kind(events, "run.started")
        assert started["epoch"] == 1
        # At one moment an end is counted before a start: the place was free.
        moments += [(started["at"], 1), (events[-1]["at"], -1)]
        whole(await first.events(session_id))
    at_work, most = 0, 0
    for _, change in sorted(moments):
        at_work += change
        most = max(most, at_work)
    assert most == NODES_PLACES
