"""After a deletion nothing of what was said is left: not in a row, and not in SQLite's file."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from homeport.eventlog import Eraser
from homeport.kernel.db import Database, Model
from homeport.sessions.service import erase
from sessions.door import ONE_DATABASE, Door

SECRET = "the-parrot-flies-at-noon"


async def rows_with(database: Database, words: str) -> list[str]:
    """The tables in which `words` stand anywhere."""
    found: list[str] = []
    async with database.read() as session:
        for table in Model.metadata.sorted_tables:
            for row in await session.execute(table.select()):
                values = [v.decode(errors="replace") if isinstance(v, bytes) else v for v in row]
                if words in repr(values):
                    found.append(table.name)
                    break
    return found


async def spoken(door: Door) -> str:
    """A session in which the secret is everywhere where words can be."""
    members = {"name": SECRET, "system_prompt": SECRET, "metadata": {"note": SECRET}}
    session_id = await door.session(**members)
    said = await door.say(session_id, SECRET, client_message_id=SECRET)
    await door.until(said["run_id"], "finished")
    await door.call("PATCH", f"/sessions/{session_id}", {"name": f"{SECRET} again"})
    return session_id


@pytest.mark.requirement("60")
async def test_session_when_deleted_then_no_row_has_its_words(door: Door) -> None:
    session_id = await spoken(door)
    assert await rows_with(door.log.database, SECRET)
    assert (await door.call("DELETE", f"/sessions/{session_id}")).status == 204
    assert await rows_with(door.log.database, SECRET) == []
    records = await door.events(session_id)
    assert [record.kind for record in records[-2:]] == ["payload.erased", "session.deleted"]
    assert all(record.erased for record in records[:-2])


@ONE_DATABASE
@pytest.mark.requirement("60")
async def test_session_when_deleted_then_the_databases_files_have_its_words_no_more(
    door: Door,
) -> None:
    path = Path(door.log.database.url.database or "")
    session_id = await spoken(door)
    await door.call("DELETE", f"/sessions/{session_id}")
    while not await door.log.database.forget():
        pass
    for file in path.parent.glob(f"{path.name}*"):
        assert SECRET.encode() not in file.read_bytes(), file.name


async def test_clear_when_it_erases_then_the_past_is_gone_and_the_session_goes_on(
    door: Door,
) -> None:
    session_id = await spoken(door)
    await door.post(f"/sessions/{session_id}/clear", {"erase": True})
    assert (await door.get(f"/sessions/{session_id}/messages"))["messages"] == []
    said = await door.say(session_id, "and now")
    await door.until(said["run_id"], "finished")
    (first, _) = (await door.get(f"/sessions/{session_id}/messages"))["messages"]
    assert first["content"] == "and now"
    assert (await door.get(f"/sessions/{session_id}"))["name"] == f"{SECRET} again"
    (event,) = [each for each in await door.events(session_id) if each.kind == "payload.erased"]
    shown = await door.get(f"/sessions/{session_id}/runs")
    assert len(shown["runs"]) == 2
    assert shown["runs"][0]["id"] == said["run_id"]
    assert event.actor.startswith("user:")


async def test_clear_when_it_does_not_erase_then_the_log_keeps_what_was_said(door: Door) -> None:
    session_id = await spoken(door)
    await door.post(f"/sessions/{session_id}/clear")
    assert not any(record.erased for record in await door.events(session_id))


async def test_erasure_when_it_takes_single_events_then_the_session_is_still_read_and_answered(
    door: Door,
) -> None:
    session_id = await spoken(door)
    stream, eraser = f"session:{session_id}", Eraser()
    eraser.on("session", erase.blank)
    kinds = {"message.submitted", "message.completed", "run.finished"}
    async with door.log.unit(stream) as unit:
        await eraser.erase(unit, stream, reason="requested", actor="system", kinds=kinds)
    views = (await door.get(f"/sessions/{session_id}/messages"))["messages"]
    assert {(view["status"], view["content"]) for view in views} == {("erased", "")}
    (run,) = (await door.get(f"/sessions/{session_id}/runs"))["runs"]
    assert run["status"] == "finished"
    forked = await door.post(f"/sessions/{session_id}/fork")
    for each in (session_id, forked["id"]):
        said = await door.say(each, "go on")
        await door.until(said["run_id"], "finished")


async def test_sweep_when_an_older_version_deleted_then_it_erases_once(door: Door) -> None:
    session_id = await spoken(door)
    async with door.log.database.write() as session:
        await session.execute(
            text("UPDATE sessions SET state = 'deleted' WHERE id = :id"), {"id": session_id}
        )
    eraser = Eraser()
    eraser.on("session", erase.blank)
    assert await erase.sweep(door.log, eraser) == 1
    assert await erase.sweep(door.log, eraser) == 0
    assert await rows_with(door.log.database, SECRET) == []


@pytest.mark.requirement("60")
async def test_account_when_erased_then_nothing_says_who_it_was_or_what_was_said(
    door: Door,
) -> None:
    session_id = await spoken(door)
    owner = (await door.get(f"/sessions/{session_id}"))["user_id"]
    await door.post("/projects", {"name": SECRET, "description": SECRET})
    erasure = door.erasure()
    for _ in range(2):  # the second time there is nothing to do
        await erasure.erase(owner)
    assert await rows_with(door.log.database, SECRET) == []
    async with door.log.database.read() as session:
        query = text("SELECT username, email, password_hash FROM users WHERE id = :id")
        row = (await session.execute(query, {"id": owner})).one()
    assert tuple(row) == (f"erased:{owner}", f"{owner}@erased.invalid", None)
