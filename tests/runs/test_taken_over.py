"""A run that was stopped while nobody held it: whoever takes it up closes what the crash left, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from homeport.dispatch.models import RunRow
from homeport.eventlog import EventLog
from homeport.sessions.models import SessionRow
from homeport.sessions.service.stop import stop_run, unfinished_state
from runs.conftest import ONE_DATABASE, OwnDoor
from runs.door import Door, kinds, of_kind, whole
from support.upstream import Reply, Upstream, text, tool_use

IN_A_MESSAGE = Reply(text("I ", "look."), end="hang")
IN_A_TOOL = Reply(
    tool_use("Bash", json.dumps({"command": "sleep 300"}), id="t1"), stop_reason="tool_use"
)


async def stop_elsewhere(log: EventLog, run_id: str) -> None:
    """What another node does whose client stops the run."""
    async with log.database.read() as session:
        run = await session.get_one(RunRow, run_id)
        row = await session.get_one(SessionRow, run.session_id)
        state = await unfinished_state(session, row)
    async with log.unit(f"session:{run.session_id}") as unit:
        row = await unit.session.get_one(SessionRow, run.session_id)
        actor = f"user:{row.user_id}"
        assert not await stop_run(unit, row, run_id, actor=actor, state=state)


async def killed_and_stopped(
    door: Door, log: EventLog, claude: Upstream, session_id: str, *, step: Reply, sign: str
) -> str:
    """A run whose server dies behind `sign`, and that is stopped before it is there again."""
    claude.script(step)
    run_id = await door.say(session_id, "go")
    await door.until(session_id, sign)
    door.server.kill()
    await stop_elsewhere(log, run_id)
    door.server.start()
    return run_id


@ONE_DATABASE
@pytest.mark.requirement("F1")
async def test_run_when_stopped_behind_a_crash_in_a_message_then_that_is_closed_once(
    own_door: OwnDoor, log: EventLog, claude: Upstream
) -> None:
    door = own_door(ANTHROPIC_IDLE_TIMEOUT="60")
    session_id = await door.session()
    run_id = await killed_and_stopped(
        door, log, claude, session_id, step=IN_A_MESSAGE, sign="message.delta"
    )
    events = await door.over(session_id, run_id)
    assert kinds(events)[-4:] == [
        "run.stop_requested",
        "message.interrupted",
        "run.started",
        "run.finished",
    ]
    assert of_kind(events, "message.interrupted")[0]["reason"] == "crashed"
    assert events[-1]["status"] == "stopped"
    whole(await door.events(session_id))


@ONE_DATABASE
@pytest.mark.requirement("F2")
async def test_run_when_stopped_behind_a_crash_in_a_tool_then_its_effect_stays_unknown(
    own_door: OwnDoor, log: EventLog, claude: Upstream, workspace: Path
) -> None:
    door = own_door()
    session_id = await door.session(workspace, permission_mode="bypass")
    run_id = await killed_and_stopped(
        door, log, claude, session_id, step=IN_A_TOOL, sign="tool.started"
    )
    events = await door.over(session_id, run_id)
    assert [each["status"] for each in of_kind(events, "tool.finished")] == ["unknown"]
    assert kinds(events)[-3:] == ["tool.finished", "run.started", "run.finished"]
    assert events[-1]["status"] == "stopped"
    whole(await door.events(session_id))
