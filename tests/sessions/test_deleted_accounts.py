"""An account that was deleted: for 30 days it can be taken back, then nothing of it is left."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from homeport.eventlog import Eraser, EventLog, read
from homeport.eventlog.models import EventRow, StreamRow
from homeport.identity.errors import AccountErased
from homeport.identity.models import User
from homeport.identity.service import erase as identity
from homeport.identity.service.accounts import delete_account, enable_account
from homeport.kernel import clock
from homeport.projects import erase as projects
from homeport.projects.members.service import put_member
from homeport.projects.models import Project, ProjectMember
from homeport.sessions.chores import erase_deleted_accounts
from homeport.sessions.service import erase
from homeport.sessions.service.delete import Deletion
from sessions.door import Door


def eraser_of(door: Door) -> tuple[Eraser, Deletion]:
    """As wiring makes it."""
    eraser = Eraser()
    eraser.on("session", erase.blank)
    eraser.on("project", projects.blank)
    eraser.on("account", identity.blank)
    return eraser, Deletion(door.log, door.dispatcher, eraser)


async def deleted(door: Door, user_id: str, *, days_ago: int) -> None:
    async with door.log.unit(f"account:{user_id}", "system") as unit:
        await delete_account(unit, user_id=user_id, actor=f"user:{user_id}")
    then = clock.utc_now() - timedelta(days=days_ago)
    async with door.log.database.write() as session:
        await session.execute(update(User).where(User.id == user_id).values(deleted_at=then))


async def broken_chains(log: EventLog) -> list[str]:
    """The streams whose headers and digests do not lead to their heads."""
    async with log.database.read() as session:
        streams = (await session.scalars(select(StreamRow))).all()
        events = (await session.scalars(select(EventRow).order_by(EventRow.seq))).all()
    chains: dict[int, list[EventRow]] = defaultdict(list)
    for event in events:
        chains[event.stream_id].append(event)
    wrong: list[str] = []
    for stream in streams:
        link = bytes(32)
        for each in chains[stream.id]:
            header: list[Any] = [
                stream.name,
                each.seq,
                each.kind,
                each.version,
                each.at,
                each.actor,
            ]
            link = hashlib.sha256(link + orjson.dumps(header) + each.payload_digest).digest()
        if (stream.head_seq, stream.head_hash) != (len(chains[stream.id]), link):
            wrong.append(stream.name)
    return wrong


@pytest.mark.requirement("60")
async def test_account_when_deleted_for_thirty_days_then_erased_and_the_chains_hold(
    door: Door,
) -> None:
    ada, bob = door.names.people["ada"], door.names.people["bob"]
    project_id = (await door.post("/projects", {"name": "shared"}))["id"]
    now = clock.utc_now()
    async with door.log.database.write() as session:
        session.add(
            ProjectMember(
                project_id=project_id,
                user_id=bob.user_id,
                role="developer",
                created_at=now,
                updated_at=now,
            )
        )
    hers = await door.session(project_id=project_id)
    said = await door.say(hers, "remember me")
    await door.until(said["run_id"], "finished")
    his = (await door.call("POST", "/sessions", {"project_id": project_id}, name="bob")).json["id"]
    eraser, deletion = eraser_of(door)

    await deleted(door, ada.user_id, days_ago=29)
    assert await erase_deleted_accounts(door.log, eraser, deletion) == 0
    assert (await door.call("GET", f"/projects/{project_id}", name="bob")).status == 200

    await deleted(door, ada.user_id, days_ago=31)
    assert await erase_deleted_accounts(door.log, eraser, deletion) == 1
    assert await erase_deleted_accounts(door.log, eraser, deletion) == 0

    records = await door.events(hers)
    assert [record.kind for record in records[-2:]] == ["payload.erased", "session.deleted"]
    assert (await door.call("GET", f"/projects/{project_id}", name="bob")).status == 404
    refused = await door.call("POST", f"/sessions/{his}/messages", {"content": "?"}, name="bob")
    assert (refused.status, refused.code) == (409, "project.closed")
    async with door.log.database.read() as session:
        row = await session.get_one(User, ada.user_id)
        assert not list(await session.scalars(select(ProjectMember)))
    assert row.username == f"erased:{ada.user_id}"
    assert await broken_chains(door.log) == []


@pytest.mark.requirement("60")
async def test_member_when_erased_then_the_project_tells_that_they_are_out(door: Door) -> None:
    bob = door.names.people["bob"]
    project_id = (await door.post("/projects", {"name": "shared"}))["id"]
    async with door.log.unit(f"project:{project_id}") as unit:
        project = await unit.session.get_one(Project, project_id)
        user = await unit.session.get_one(User, bob.user_id)
        await put_member(unit, project, user, role="viewer", actor="operator")
    await deleted(door, bob.user_id, days_ago=31)
    eraser, deletion = eraser_of(door)
    assert await erase_deleted_accounts(door.log, eraser, deletion) == 1
    async with door.log.database.read() as session:
        records = await read.records_after(session, f"project:{project_id}", 0)
        assert not list(await session.scalars(select(ProjectMember)))
    assert records[-1].kind == "member.removed"
    assert orjson.loads(records[-1].payload)["reason"] == "erased"


async def test_account_when_taken_back_too_late_then_refused(door: Door) -> None:
    user_id = door.names.people["bob"].user_id
    await deleted(door, user_id, days_ago=29)
    async with door.log.unit(f"account:{user_id}") as unit:
        await enable_account(unit, user_id=user_id, actor="operator")
    await deleted(door, user_id, days_ago=31)
    with pytest.raises(AccountErased):
        async with door.log.unit(f"account:{user_id}") as unit:
            await enable_account(unit, user_id=user_id, actor="operator")
