"""The agent works with the rights of whose session it is, as they are at that moment."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from runs.door import Door, Json
from support.upstream import Reply, Upstream, text, tool_use

PATIENCE_S = 30.0
Invite = Callable[..., Awaitable[tuple[Door, str, str]]]


@pytest.fixture
def invite(door: Door, workspace: Path) -> Invite:
    """Makes somebody a developer in a project of the admin's: their door, id, and the project."""

    async def invited() -> tuple[Door, str, str]:
        name = f"dev-{uuid4().hex[:8]}"
        body = {
            "email": f"{name}@example.com",
            "username": name,
            "password": "a harbour that forgets nothing",
        }
        told = await door.post("/v1/auth/register", body)
        project = {"name": "shared", "path": str(workspace)}
        project_id: str = (await door.post("/v1/projects", project))["id"]
        member = {"username": name, "role": "developer"}
        answer = await door.call("PUT", f"/v1/projects/{project_id}/members", member)
        assert answer.status == 200
        key = {"Authorization": f"Bearer {told['user']['api_key']}"}
        return Door(door.http, door.server, key), told["user"]["id"], project_id

    return invited


def bash(command: str, number: int) -> Reply:
    return Reply(tool_use("Bash", json.dumps({"command": command}), id=f"toolu_{number}"))


async def there(path: Path) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not path.exists():
            await asyncio.sleep(0.02)


async def refusals(dev: Door, session_id: str, run_id: str) -> None:
    """The session is readable, and nothing begins in it."""
    assert (await dev.get(f"/v1/sessions/{session_id}"))["id"] == session_id
    assert (await dev.get(f"/v1/sessions/{session_id}/messages"))["total"] > 0
    for path, body in (
        (f"/v1/sessions/{session_id}/messages", {"content": "go on"}),
        (f"/v1/runs/{run_id}/retry", None),
        (
            "/v1/chat/completions",
            {"session_id": session_id, "messages": [{"role": "user", "content": "go on"}]},
        ),
    ):
        answer = await dev.call("POST", path, body)
        told: Json = await answer.json()
        assert (answer.status, told["error"]["code"]) == (409, "project.closed"), path


@pytest.mark.requirement("28")
async def test_member_when_removed_in_the_middle_of_a_command_then_it_is_stopped_at_once(
    door: Door, invite: Invite, claude: Upstream, workspace: Path
) -> None:
    dev, user_id, project_id = await invite()
    claude.script(bash("touch began; sleep 300; touch ended", 1), Reply(text("Done.")))
    session_id = await dev.session(project_id=project_id, permission_mode="bypass")
    run_id = await dev.say(session_id, "work")
    waiting = await dev.say(session_id, "and then this")
    await there(workspace / "began")

    answer = await door.call("DELETE", f"/v1/projects/{project_id}/members/{user_id}")
    assert answer.status == 204

    for each in (run_id, waiting):
        ended = (await dev.over(session_id, each))[-1]
        assert (ended["kind"], ended["status"]) == ("run.finished", "stopped")
    assert not (workspace / "ended").exists()
    await refusals(dev, session_id, run_id)
    assert (await dev.call("GET", f"/v1/projects/{project_id}")).status == 404


@pytest.mark.requirement("22")
async def test_account_when_switched_off_in_the_middle_of_a_command_then_it_is_stopped_at_once(
    door: Door, invite: Invite, claude: Upstream, workspace: Path
) -> None:
    dev, user_id, project_id = await invite()
    claude.script(bash("touch began; sleep 300; touch ended", 1), Reply(text("Done.")))
    session_id = await dev.session(project_id=project_id, permission_mode="bypass")
    run_id = await dev.say(session_id, "work")
    await there(workspace / "began")
    for active in (False, True):
        change = {"is_active": active}
        answer = await door.call("PATCH", f"/v1/auth/users/{user_id}", change)
        assert answer.status == 200
    ended = (await dev.over(session_id, run_id))[-1]
    assert (ended["kind"], ended["status"]) == ("run.finished", "stopped")
    assert not (workspace / "ended").exists()


@pytest.mark.requirement("28")
async def test_member_when_shut_out_between_two_commands_then_the_second_is_not_made(
    door: Door, invite: Invite, claude: Upstream, workspace: Path
) -> None:
    dev, user_id, project_id = await invite()
    held = "touch began; while [ ! -e shut ]; do sleep 0.05; done"
    claude.script(bash(held, 1), bash("touch second", 2), Reply(text("Done.")))
    session_id = await dev.session(project_id=project_id, permission_mode="bypass")
    run_id = await dev.say(session_id, "work")
    await there(workspace / "began")

    # Switched off from the terminal: no server hears of it, and the next call finds out.
    name = (await door.get(f"/v1/auth/users/{user_id}"))["username"]
    command = [sys.executable, "-m", "homeport", "user", "disable", name]
    off = await asyncio.create_subprocess_exec(*command, env=door.server.environment())
    assert await off.wait() == 0
    (workspace / "shut").touch()
    async with asyncio.timeout(PATIENCE_S):
        while (await door.get("/health"))["active_sessions"]:
            await asyncio.sleep(0.05)
    on = await door.call("PATCH", f"/v1/auth/users/{user_id}", {"is_active": True})
    assert on.status == 200
    ended = (await dev.over(session_id, run_id))[-1]
    assert (ended["status"], ended["reason"]) == ("failed", "project.closed")
    assert not (workspace / "second").exists()


async def test_project_when_deleted_then_messages_to_its_sessions_are_refused_at_once(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    claude.script(Reply(text("Aye.")))
    project = {"name": "short-lived", "path": str(workspace)}
    project_id = (await door.post("/v1/projects", project))["id"]
    session_id = await door.session(project_id=project_id)
    run_id = (await door.ran(session_id, "hello"))[0]["run_id"]
    assert (await door.call("DELETE", f"/v1/projects/{project_id}")).status == 200
    await refusals(door, session_id, run_id)
