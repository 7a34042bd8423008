"""An account that was deleted: for 30 days it can be taken back, then nothing of it is left."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from homeport.eventlog import Eraser, EventLog, read
from homeport.eventlog.models import EventRow, StreamRow
from homeport.files.shadow import Shadow
from homeport.identity.errors import AccountErased
from homeport.identity.models import User
from homeport.identity.service.accounts import delete_account, enable_account
from homeport.kernel import clock
from homeport.projects.members.service import put_member
from homeport.projects.models import Project, ProjectMember
from homeport.sessions.chores import erase_deleted_accounts
from homeport.sessions.service import erase_account
from sessions.door import Door


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
    erasure = door.erasure()

    await deleted(door, ada.user_id, days_ago=29)
    assert await erase_deleted_accounts(door.log, erasure) == 0
    assert (await door.call("GET", f"/projects/{project_id}", name="bob")).status == 200

    await deleted(door, ada.user_id, days_ago=31)
    assert await erase_deleted_accounts(door.log, erasure) == 1
    assert await erase_deleted_accounts(door.log, erasure) == 0

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
    erasure = door.erasure()
    assert await erase_deleted_accounts(door.log, erasure) == 1
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


@pytest.mark.requirement("60")
async def test_account_when_erased_then_its_workspaces_go_and_nobodys_else(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = door.names.people["ada"], door.names.people["bob"]
    own = tmp_path / "code" / "app"
    own.mkdir(parents=True)
    (own / "mine.py").write_text("mine")
    made, kept, gone = [await door.post("/projects", {"name": name}) for name in "abc"]
    folder = await door.post("/projects", {"name": "mine", "path": str(own)})
    foreign = (await door.call("POST", "/projects", {"name": "b"}, name="bob")).json
    places = {each["id"]: Path(each["path"]) for each in (made, kept, gone, foreign)}
    for place in places.values():
        (place / "deep").mkdir()
        (place / "deep" / "file").write_text("words")
    (places[made["id"]] / "link").symlink_to(own)
    (places[made["id"]] / "deep").chmod(0)  # a command may do that
    copies = [Shadow(door.checkpoints, Path(each["path"])).path for each in (made, folder)]
    for copy in copies:
        copy.mkdir(parents=True)
    await door.call("DELETE", f"/projects/{gone['id']}")
    async with door.log.unit(f"project:{kept['id']}") as unit:
        project = await unit.session.get_one(Project, kept["id"])
        user = await unit.session.get_one(User, bob.user_id)
        await put_member(unit, project, user, role="owner", actor="operator")
    await deleted(door, ada.user_id, days_ago=31)
    erasure = door.erasure()
    with monkeypatch.context() as patched:  # the process ends when the files of one are gone
        patched.setattr(Eraser, "erase", _ends)
        with pytest.raises(Ended):
            await erase_deleted_accounts(door.log, erasure)
    assert not places[made["id"]].exists()
    async with door.log.database.read() as session:
        records = await read.records_after(session, f"project:{made['id']}", 0)
    assert records[-1].kind == "project.deleted"  # the log said so first
    assert await erase_deleted_accounts(door.log, erasure) == 1
    assert await erase_deleted_accounts(door.log, erasure) == 0
    left = {name for name, place in places.items() if place.exists()}
    assert left == {kept["id"], foreign["id"]}  # somebody else owns the one, the other is bob's
    assert (own / "mine.py").read_text() == "mine"
    assert [copy.exists() for copy in copies] == [False, False]


async def test_account_when_its_files_cannot_be_removed_then_others_go_on_and_it_is_tried_again(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = door.names.people
    await door.post("/projects", {"name": "a"})
    for days, name in ((32, "ada"), (31, "bob")):
        await deleted(door, people[name].user_id, days_ago=days)

    def refuse(place: Path) -> None:
        raise PermissionError(place)

    erasure = door.erasure()
    with monkeypatch.context() as patched:
        patched.setattr(erase_account, "remove_tree", refuse)
        assert await erase_deleted_accounts(door.log, erasure) == 2
    assert await erase_deleted_accounts(door.log, erasure) == 1
    assert await erase_deleted_accounts(door.log, erasure) == 0


class Ended(Exception):
    """Stands for the end of the process."""


async def _ends(*_: object, **__: object) -> None:
    raise Ended
