"""A database that somebody else holds for longer than a request can wait: busy, not broken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from runs.conftest import ONE_DATABASE, SharedServer
from runs.door import Door, kinds, of_kind, texts, until_logged, whole
from support.lock_holder import write_lock
from support.upstream import Reply, Upstream, text, tool_use


@pytest.fixture
async def door(
    shared_server: SharedServer, dialect: str, claude: Upstream, http: aiohttp.ClientSession
) -> AsyncIterator[Door]:
    """A server whose runs are soon given up by those who cannot keep them."""
    del claude
    opened = Door(http, shared_server(dialect, LEASE_TTL="2"))
    yield opened
    await opened.stop_all()


def url_of(door: Door) -> str:
    """The database of the door's server."""
    default = f"sqlite:///{door.server.data_dir / 'homeport.db'}"
    return door.server.settings.get("DATABASE_URL", default)


async def test_write_when_the_database_is_locked_then_busy_and_afterwards_nothing_is_lost(
    door: Door, claude: Upstream, dialect: str
) -> None:
    working, session_id = await door.session(), await door.session()
    pieces = [f"{number} " for number in range(60)]
    claude.script(*[Reply(text(*pieces), interval_s=0.1)] * 20)
    run_id = await door.say(working, "count")
    await door.until(working, "message.delta")
    path = f"/v1/sessions/{session_id}/messages"
    body = {"content": "hello", "client_message_id": "m1"}
    async with write_lock(url_of(door)):
        refusal = await door.refused("POST", path, body, status=503)
        assert refusal["error"]["code"] == "storage.busy"
        # Whoever only reads waits for nobody.
        assert (await door.get(f"/v1/sessions/{session_id}"))["message_count"] == 0
        assert kinds(await door.events(session_id)) == ["session.created"]
        assert (await door.call("GET", "/livez")).status == 200
        # PostgreSQL's lock is on the tables, which the probe does not touch.
        assert (await door.call("GET", "/readyz")).status == (503 if dialect == "sqlite" else 200)
    assert (await door.call("GET", "/readyz")).status == 200
    claude.forget()  # the message that was refused is answered without a script
    first, second = await asyncio.gather(door.post(path, body), door.post(path, body))
    assert first == second
    assert (await door.over(session_id, first["run_id"]))[-1]["status"] == "completed"
    assert len(of_kind(whole(await door.events(session_id)), "message.submitted")) == 1
    events = await door.over(working, run_id)
    assert events[-1]["status"] == "completed"
    assert list(texts(events).values())[-1] in {
        "".join(pieces),
        "ok",
    }  # gone on with, or asked anew
    whole(await door.events(working))


@ONE_DATABASE
async def test_call_when_the_database_is_locked_as_it_ends_then_its_result_is_kept_all_the_same(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    command = json.dumps({"command": "until [ -e go ]; do sleep 0.1; done; echo once >> marks"})
    call = tool_use("Bash", command, id="toolu_1")
    claude.script(Reply(call, stop_reason="tool_use"), Reply(text("Done.")))
    run_id = await door.say(session_id, "mark it")
    await door.until(session_id, "tool.started")
    async with write_lock(url_of(door)):
        (workspace / "go").touch()
        await until_logged(door, "tool.result-waits")
    events = await door.over(session_id, run_id)
    assert [each["status"] for each in of_kind(events, "tool.finished")] == ["completed"]
    assert events[-1]["status"] == "completed"
    assert (workspace / "marks").read_text() == "once\n"


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_read_when_the_tables_are_locked_against_reading_then_busy(door: Door) -> None:
    session_id = await door.session()
    async with write_lock(url_of(door), mode="ACCESS EXCLUSIVE"):
        paths = (f"/v1/sessions/{session_id}", f"/v1/sessions/{session_id}/events?after=0")
        refusals = await asyncio.gather(
            *(door.refused("GET", path, None, status=503) for path in paths)
        )
        assert {each["error"]["code"] for each in refusals} == {"storage.busy"}
        assert (await door.call("GET", "/livez")).status == 200
    assert (await door.ran(session_id, "hello"))[-1]["status"] == "completed"
