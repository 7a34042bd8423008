"""A session's life over HTTP: start, list, look at, change."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from homeport.dispatch.models import RunRow
from homeport.kernel import clock
from homeport.sessions.models import SessionRow
from sessions.agent import answer, ask, hang
from sessions.door import ONE_DATABASE, Door, eventually


async def test_create_when_nothing_is_said_then_everything_has_a_default(door: Door) -> None:
    made = await door.post("/sessions", {})
    assert made["name"] == made["title"] == "New session"
    assert made["model"] == "demo"
    assert made["permission_mode"] == "default"
    assert made["status"] == "idle"
    assert made["is_active"] is True
    assert made["cursor"] == "1"
    assert (made["message_count"], made["total_tokens"], made["total_cost"]) == (0, 0, 0.0)
    assert made["user_id"] == door.names.people["ada"].user_id
    assert made["created_at"].endswith("Z")
    assert await door.get(f"/sessions/{made['id']}") == made
    project = await door.get(f"/projects/{made['project_id']}")
    assert project["name"] == "Personal workspace"
    assert await door.kinds(made["id"]) == ["session.created"]


async def test_create_when_everything_is_said_then_it_is_kept(door: Door) -> None:
    said: dict[str, Any] = {
        "title": "x" * 255,
        "system_prompt": "Be brief.",
        "permission_mode": "plan",
        "metadata": {"client": "phone", "deep": {"er": [1, 2]}},
        "model": "demo",
    }
    made = await door.post("/sessions", said)
    assert {name: made[name] for name in said} == said
    assert made["name"] == said["title"]


@ONE_DATABASE
async def test_views_when_sent_then_old_clients_find_both_spellings(door: Door) -> None:
    made = await door.post("/sessions", {})
    twins = {"projectId", "isActive", "createdAt", "messageCount", "systemPrompt", "totalCost"}
    assert twins <= set(made)
    assert made["projectId"] == made["project_id"]
    sums = await door.get("/sessions/stats")
    assert sums["activeSessions"] == sums["active_sessions"] == 0
    described = door.app.openapi()["components"]["schemas"]["SessionView"]["properties"]
    assert "project_id" in described
    assert not twins & set(described)


async def test_create_when_the_workspace_is_a_git_repository_then_edits_are_accepted(
    door: Door, tmp_path: Path
) -> None:
    place = tmp_path.resolve() / "code" / "repository"
    (place / ".git").mkdir(parents=True)
    (place / ".git" / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    project = await door.post("/projects", {"name": "Harbour", "path": str(place)})
    made = await door.post("/sessions", {"project_id": project["id"]})
    assert made["permission_mode"] == "accept_edits"


async def test_create_when_the_project_names_a_mode_then_it_is_taken(door: Door) -> None:
    settings = {"permission_mode": "plan"}
    project = await door.post("/projects", {"name": "Harbour", "settings": settings})
    made = await door.post("/sessions", {"project_id": project["id"]})
    assert made["permission_mode"] == "plan"


@ONE_DATABASE
@pytest.mark.requirement("27")
async def test_create_when_it_may_not_be_then_the_error_says_why(door: Door) -> None:
    refusals: list[tuple[object, int, str]] = [
        ({"model": "no-such-model"}, 404, "model.not-found"),
        ({"permission_mode": "bypass"}, 403, "session.mode-not-allowed"),
        ({"permission_mode": "yolo"}, 422, "request.unprocessable"),
        ({"project_id": "0198a000-0000-7000-8000-000000000000"}, 404, "project.not-found"),
        ({"name": " "}, 422, "request.unprocessable"),
        ({"name": "x" * 256}, 422, "request.unprocessable"),
        ({"metadata": {"much": "x" * 20_000}}, 422, "request.unprocessable"),
        ({"colour": "red"}, 422, "request.unprocessable"),
        ([], 422, "request.unprocessable"),
    ]
    for body, status, code in refusals:
        refused = await door.call("POST", "/sessions", body)
        assert (refused.status, refused.code) == (status, code), body
    assert (await door.get("/sessions"))["total"] == 0


async def test_create_when_the_key_is_repeated_then_there_is_one_session(door: Door) -> None:
    key = {"Idempotency-Key": "tap-1"}
    answers = await asyncio.gather(
        *(door.call("POST", "/sessions", {"name": "Once"}, headers=key) for _ in range(8))
    )
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert (await door.get("/sessions"))["total"] == 1
    other = await door.call("POST", "/sessions", {"name": "Twice"}, headers=key)
    assert (other.status, other.code) == (422, "idempotency.key-reused")
    theirs = await door.call("POST", "/sessions", {"name": "Twice"}, headers=key, name="bob")
    assert theirs.status == 201
    malformed = {"Idempotency-Key": "two words"}
    refused = await door.call("POST", "/sessions", {}, headers=malformed)
    assert refused.status == 422


async def test_list_when_paged_then_every_session_comes_once_newest_first(door: Door) -> None:
    made = [await door.session(name=f"Session {number}") for number in range(5)]
    await door.post("/sessions", {"name": "Theirs"}, name="bob")
    first = await door.get("/sessions?limit=2")
    assert (first["total"], first["limit"], first["offset"]) == (5, 2, 0)
    second = await door.get(f"/sessions?limit=2&cursor={first['next_cursor']}")
    third = await door.get(f"/sessions?limit=2&cursor={second['next_cursor']}")
    assert third["next_cursor"] is None
    pages = [*first["sessions"], *second["sessions"], *third["sessions"]]
    assert [each["id"] for each in pages] == made[::-1]
    skipped = await door.get("/sessions?limit=2&offset=3")
    assert [each["id"] for each in skipped["sessions"]] == [made[1], made[0]]
    bare = await door.get("/sessions?shape=array")
    assert [each["id"] for each in bare] == made[::-1]


@ONE_DATABASE
async def test_list_when_the_query_is_wrong_then_it_is_refused(door: Door) -> None:
    refusals = [
        ("cursor=zzz", 400, "page.bad-cursor"),
        ("cursor=WyJub3QgYW4gaWQiXQ", 400, "page.bad-cursor"),
        ("offset=10001", 400, "page.use-cursor"),
        ("status=busy", 400, "request.not-a-choice"),
        ("limit=0", 422, "request.unprocessable"),
        ("limit=1001", 422, "request.unprocessable"),
    ]
    for query, status, code in refusals:
        refused = await door.call("GET", f"/sessions?{query}")
        assert (refused.status, refused.code) == (status, code), query


async def test_list_when_filtered_then_only_those_come(door: Door) -> None:
    project = await door.post("/projects", {"name": "Harbour"})
    there = await door.session(project_id=project["id"], name="100% Sure")
    await door.session(name="1000 Sure")
    away = await door.session(name="Away")
    await door.post(f"/sessions/{away}/archive")

    async def ids_of(query: str) -> list[str]:
        return [each["id"] for each in (await door.get(f"/sessions?{query}"))["sessions"]]

    assert await ids_of(f"project_id={project['id']}") == [there]
    assert await ids_of("search=0%25%20sure") == [there]
    assert await ids_of("status=archived") == [away]
    assert len(await ids_of("status=idle")) == 2
    assert await ids_of("status=error") == []


async def test_status_when_runs_come_and_go_then_it_follows_them(door: Door) -> None:
    door.agent.plan = ask
    session_id = await door.session()

    async def status() -> str:
        shown: str = (await door.get(f"/sessions/{session_id}"))["status"]
        listed = await door.get(f"/sessions?status={shown}")
        assert [each["id"] for each in listed["sessions"]] == [session_id]
        return shown

    assert await status() == "idle"
    said = await door.say(session_id)
    await door.until(said["run_id"], "waiting")
    assert await status() == "active"
    door.agent.plan = hang
    await door.post(f"/approvals/{door.agent.asked[0]}", {"decision": "approve"})
    await door.until(said["run_id"], "running")
    assert await status() == "streaming"
    await door.post(f"/sessions/{session_id}/stop")
    await door.until(said["run_id"], "finished")
    assert await status() == "active"
    long_ago = clock.utc_now() - timedelta(hours=2)
    async with door.log.database.write() as session:
        await session.execute(update(RunRow).values(finished_at=long_ago))
    assert await status() == "idle"
    async with door.log.database.write() as session:
        await session.execute(update(SessionRow).values(updated_at=long_ago))
    assert await status() == "idle"


async def test_change_when_something_differs_then_it_is_kept_and_told(door: Door) -> None:
    session_id = await door.session(name="Before", system_prompt="Be brief.")
    body = {"name": "After", "metadata": {"a": 1}, "permission_mode": "plan"}
    changed = await door.call("PATCH", f"/sessions/{session_id}", body)
    assert changed.status == 200
    assert {name: changed.json[name] for name in body} == body
    assert changed.json["system_prompt"] == "Be brief."
    same = await door.call("PUT", f"/sessions/{session_id}", {"title": "After"})
    assert (same.status, same.json["cursor"]) == (200, changed.json["cursor"])
    assert await door.kinds(session_id) == ["session.created", "session.updated"]
    none = await door.call("PATCH", f"/sessions/{session_id}", {"system_prompt": None})
    assert none.json["system_prompt"] is None


@ONE_DATABASE
@pytest.mark.requirement("27")
async def test_change_when_it_may_not_be_then_nothing_changes(door: Door) -> None:
    session_id = await door.session()
    refusals: list[tuple[object, int, str]] = [
        ({"model": "no-such-model"}, 404, "model.not-found"),
        ({"permission_mode": "bypass"}, 403, "session.mode-not-allowed"),
        ({"status": "streaming"}, 400, "request.not-a-choice"),
        ({"status": "gone"}, 422, "request.unprocessable"),
        ({"user_id": "me"}, 422, "request.unprocessable"),
    ]
    for body, status, code in refusals:
        refused = await door.call("PATCH", f"/sessions/{session_id}", body)
        assert (refused.status, refused.code) == (status, code), body
    assert await door.kinds(session_id) == ["session.created"]


async def test_sums_when_sessions_have_spent_then_they_are_added_up(door: Door) -> None:
    door.agent.plan = hang
    await door.session()
    busy, spent = await door.session(), await door.session()
    door.agent.plans[spent] = answer
    await door.say(busy)
    said = await door.say(spent)
    await door.until(said["run_id"], "finished")

    async def both_are_active() -> bool:
        return (await door.get("/sessions/stats"))["active_sessions"] == 2

    await eventually(both_are_active)
    sums = await door.get("/sessions/stats")
    assert (sums["total_sessions"], sums["total_messages"]) == (3, 3)
    assert (sums["total_tokens"], sums["total_cost"]) == (15, 0.25)
