"""Stopping runs: queued, waiting, running; one of them or all."""

from __future__ import annotations

import asyncio

from sqlalchemy import event

from sessions.agent import answer, ask, hang
from sessions.door import ONE_DATABASE, Door


async def test_stop_when_the_run_is_running_then_it_ends_and_the_next_one_begins(
    door: Door,
) -> None:
    door.agent.plan = hang
    session_id = await door.session()
    first, second = await door.say(session_id), await door.say(session_id)
    await door.until(first["run_id"], "running")
    stopped = await door.post(f"/sessions/{session_id}/stop")
    assert (stopped["status"], stopped["run_ids"]) == ("stopped", [first["run_id"]])
    ended = await door.until(first["run_id"], "finished")
    assert ended["outcome"] == "stopped"
    await door.until(second["run_id"], "running")


async def test_stop_when_the_queue_is_meant_too_then_nothing_begins(door: Door) -> None:
    door.agent.plan = hang
    session_id = await door.session()
    runs = [(await door.say(session_id))["run_id"] for _ in range(3)]
    await door.until(runs[0], "running")
    stopped = await door.post(f"/sessions/{session_id}/stop", {"queue": True})
    assert stopped["run_ids"] == runs
    for run_id in runs:
        assert (await door.until(run_id, "finished"))["outcome"] == "stopped"
    assert [claim.run_id for claim in door.agent.driven] == runs[:1]
    idle = await door.post(f"/sessions/{session_id}/stop")
    assert (idle["status"], idle["run_ids"]) == ("idle", [])


async def test_stop_when_a_queued_run_is_named_then_only_that_one_ends(door: Door) -> None:
    door.agent.plan = hang
    session_id = await door.session()
    runs = [(await door.say(session_id))["run_id"] for _ in range(3)]
    await door.until(runs[0], "running")
    stopped = await door.post(f"/runs/{runs[1]}/stop")
    assert (stopped["status"], stopped["session_id"]) == ("stopped", session_id)
    assert (await door.run(runs[1]))["outcome"] == "stopped"
    again = await door.call("POST", f"/runs/{runs[1]}/stop")
    assert (again.status, again.code) == (409, "run.over")
    door.agent.plan = answer
    assert (await door.post(f"/runs/{runs[0]}/stop"))["status"] == "stopping"
    assert (await door.until(runs[2], "finished"))["outcome"] == "completed"
    listed = await door.get(f"/sessions/{session_id}/runs")
    assert [each["id"] for each in listed["runs"]] == runs[::-1]
    assert [each["run_no"] for each in listed["runs"]] == [3, 2, 1]
    assert listed["total"] == 3


async def test_stop_when_the_run_waits_for_people_then_the_question_ends_with_it(
    door: Door,
) -> None:
    door.agent.plan = ask
    session_id = await door.session()
    said = await door.say(session_id)
    await door.until(said["run_id"], "waiting")
    await door.post(f"/sessions/{session_id}/stop")
    assert (await door.run(said["run_id"]))["outcome"] == "stopped"
    question = await door.get(f"/approvals/{door.agent.asked[0]}")
    assert question["status"] == "expired"
    kinds = await door.kinds(session_id)
    assert kinds[-4:] == ["run.stop_requested", "tool.finished", "approval.expired", "run.finished"]


async def test_queue_when_a_run_waits_for_an_approval_then_the_next_is_not_begun(
    door: Door,
) -> None:
    door.agent.plan = ask
    session_id = await door.session()
    first = await door.say(session_id)
    await door.until(first["run_id"], "waiting")
    second = await door.say(session_id)
    elsewhere = await door.session()
    door.agent.plans[elsewhere] = answer
    other = await door.say(elsewhere)
    await door.until(other["run_id"], "finished")  # claimed later than it would have been
    assert (await door.run(second["run_id"]))["status"] == "queued"
    await door.post(f"/approvals/{door.agent.asked[0]}", {"decision": "approve"})
    await door.until(second["run_id"], "waiting")
    assert (await door.run(first["run_id"]))["outcome"] == "completed"


async def test_stop_when_runs_end_at_the_same_moment_then_each_ends_once(door: Door) -> None:
    session_id = await door.session()
    for _ in range(6):
        said = await door.say(session_id)
        stop = f"/runs/{said['run_id']}/stop"
        answers = await asyncio.gather(*(door.call("POST", stop) for _ in range(3)))
        assert {each.status for each in answers} <= {200, 409}
        await door.until(said["run_id"], "finished")
    kinds = await door.kinds(session_id)
    assert kinds.count("run.finished") == 6


@ONE_DATABASE
async def test_stop_when_the_session_is_long_then_its_story_is_not_read_by_the_writer(
    door: Door,
) -> None:
    session_id = await door.session()
    for _ in range(3):
        await door.until((await door.say(session_id))["run_id"], "finished")
    door.agent.plan = ask
    said = await door.say(session_id)
    await door.until(said["run_id"], "waiting")
    door.agent.plan = hang
    elsewhere = await door.session()
    running, queued = await door.say(elsewhere), await door.say(elsewhere)
    await door.until(running["run_id"], "running")
    read: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "p.payload" in statement:
            read.append(statement)

    engine = door.log.database.writer.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await door.post(f"/runs/{said['run_id']}/stop")
    await door.post(f"/runs/{queued['run_id']}/stop")
    event.remove(engine, "before_cursor_execute", note)
    assert read == []
    kinds = await door.kinds(session_id)
    assert kinds[-4:] == ["run.stop_requested", "tool.finished", "approval.expired", "run.finished"]
