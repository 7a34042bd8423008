"""A disk that is full: refused, not lost; and all goes on by itself once there is room."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runs.conftest import ONE_DATABASE, OwnDoor
from runs.door import Door, Json, make_repository, of_kind, texts, until_logged, whole
from support.small_disk import SmallDisk, can_mount, limited_files, small_disk
from support.upstream import Reply, Upstream, text, tool_use

LARGE = "0123456789" * 20_000
MOST_TRIES = 60
"""So many large messages fill whatever the database had in reserve."""

pytestmark = [ONE_DATABASE, pytest.mark.requirement("F16")]
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Sixteen megabytes; unmounted when everything that uses them has ended."""
    if not can_mount():
        pytest.skip("only root mounts a file system")
    with small_disk(tmp_path / "disk", megabytes=16) as made:
        yield made


async def refused_at_last(door: Door, session_id: str) -> tuple[list[str], Json]:
    """What was taken before the disk was full, by run, and the refusal of what no longer was."""
    taken: list[str] = []
    path = f"/v1/sessions/{session_id}/messages"
    for number in range(MOST_TRIES):
        body = {"content": f"{number} {LARGE}", "client_message_id": f"m{number}"}
        answer = await door.call("POST", path, body)
        if answer.status != 202:
            again = await door.refused("POST", path, body, status=answer.status)
            return taken, again
        taken.append((await answer.json())["run_id"])
    raise AssertionError("the disk never filled up")


async def lost_nothing(door: Door, session_id: str, taken: list[str], file: Path) -> None:
    """Every message that was taken is answered, none that was refused is there, in a sound file."""
    number = len(taken)
    body = {"content": f"{number} {LARGE}", "client_message_id": f"m{number}"}
    repeated = await door.post(f"/v1/sessions/{session_id}/messages", body)
    for run_id in [*taken, repeated["run_id"]]:
        assert (await door.over(session_id, run_id))[-1]["status"] == "completed"
    events = whole(await door.events(session_id))
    said = [each["client_message_id"] for each in of_kind(events, "message.submitted")]
    assert said == [f"m{each}" for each in range(number + 1)]
    assert len(of_kind(events, "run.finished")) == number + 1
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_append_when_the_disk_of_the_database_is_full_then_it_is_refused_and_nothing_is_lost(
    disk: SmallDisk, own_door: OwnDoor
) -> None:
    file = disk.root / "homeport.db"
    door = own_door(DATABASE_URL=f"sqlite:///{file}", LEASE_TTL="2")
    session_id = await door.session()
    disk.fill()
    taken, refusal = await refused_at_last(door, session_id)
    assert refusal["error"]["code"] == "storage.full"
    assert refusal["status"] == 507
    # What is there can still be read, and the server says that it lives.
    assert (await door.get(f"/v1/sessions/{session_id}"))["id"] == session_id
    assert len(of_kind(await door.events(session_id), "message.submitted")) == len(taken)
    assert (await door.call("GET", "/livez")).status == 200
    ready = await door.call("GET", "/readyz")
    assert ready.status == 503
    assert not (await ready.json())["components"]["disk"]["ok"]
    disk.free()
    await lost_nothing(door, session_id, taken, file)


@linux
async def test_append_when_the_file_may_not_grow_then_it_is_refused_and_nothing_is_lost(
    own_door: OwnDoor, tmp_path: Path
) -> None:
    file = tmp_path / "limited.db"
    door = own_door(DATABASE_URL=f"sqlite:///{file}", LEASE_TTL="2")
    session_id = await door.session()
    grown = max(each.stat().st_size for each in tmp_path.glob("limited.db*"))
    with limited_files(door.server.pid, size=grown):
        taken, refusal = await refused_at_last(door, session_id)
        assert refusal["error"]["code"] in {"storage.full", "storage.unreachable"}
        assert (await door.get(f"/v1/sessions/{session_id}"))["id"] == session_id
    await lost_nothing(door, session_id, taken, file)


async def test_run_when_the_disk_fills_up_in_its_answer_then_it_goes_on_once_there_is_room(
    disk: SmallDisk, own_door: OwnDoor, claude: Upstream
) -> None:
    file = disk.root / "homeport.db"
    door = own_door(DATABASE_URL=f"sqlite:///{file}", LEASE_TTL="2")
    session_id, other = await door.session(), await door.session(model="demo")
    pieces = [f"{number} " * 500 for number in range(60)]
    claude.script(*[Reply(text(*pieces), interval_s=0.1)] * 20)
    run_id = await door.say(session_id, "count")
    await door.until(session_id, "message.delta")
    disk.fill()
    await refused_at_last(door, other)  # what was in reserve
    await until_logged(door, "segments.flush-failed", "dispatch.step-failed")
    disk.free()
    events = await door.over(session_id, run_id)
    assert events[-1]["status"] == "completed"
    told = list(texts(events).values())
    assert told[-1] == "".join(pieces)  # gone on with, or asked anew
    assert all("".join(pieces).startswith(each) for each in told)
    whole(await door.events(session_id))


@pytest.mark.parametrize("git", [False, True], ids=["plain", "git"])
async def test_call_when_the_disk_of_the_workspace_is_full_then_files_stay_whole(
    disk: SmallDisk, door: Door, claude: Upstream, git: bool
) -> None:
    folder, kept = disk.root / "code", "a line to be kept\n" * 1_000
    if git:
        make_repository(folder, {"kept.txt": kept})
    else:
        folder.mkdir()
        (folder / "kept.txt").write_text(kept)
    session_id = await door.session(folder, permission_mode="bypass")
    tries: list[tuple[str, dict[str, Any]]] = [
        ("Write", {"file_path": "new.txt", "content": LARGE}),
        ("Write", {"file_path": "kept.txt", "content": LARGE}),
        (
            "Edit",
            {
                "file_path": "kept.txt",
                "old_string": "a line",
                "new_string": LARGE[:5_000],
                "replace_all": True,
            },
        ),
        ("Bash", {"command": "head -c 1000000 /dev/zero > much"}),
        ("Read", {"file_path": "kept.txt", "limit": 1}),
    ]
    calls = [
        block
        for number, (name, arguments) in enumerate(tries)
        for block in tool_use(name, json.dumps(arguments), id=f"toolu_{number}", index=number)
    ]
    claude.script(Reply(calls, stop_reason="tool_use"), Reply(text("It is full.")))
    disk.fill()
    events = await door.ran(session_id, "write")
    assert (events[-1]["status"], list(texts(events).values())[-1]) == ("completed", "It is full.")
    ended = of_kind(events, "tool.finished")
    assert [each["status"] for each in ended] == ["failed"] * 4 + ["completed"]
    assert [each["details"]["code"] for each in ended[:3]] == ["files.no-space"] * 3
    assert "No space left" in ended[3]["content"]
    assert (folder / "kept.txt").read_text() == kept
    assert not (folder / "new.txt").exists()
    disk.free()
    write = tool_use("Write", json.dumps({"file_path": "new.txt", "content": "x"}), id="toolu_9")
    claude.script(Reply(write, stop_reason="tool_use"), Reply(text("Now it fits.")))
    events = await door.ran(session_id, "again")
    assert events[-1]["status"] == "completed"
    assert (folder / "new.txt").read_text() == "x"
    if git:
        assert len(of_kind(events, "checkpoint.created")) == 2
        run_id = events[-1]["run_id"]
        undone = await door.post(f"/v1/runs/{run_id}/undo")
        assert undone["removed"] == ["new.txt"]
