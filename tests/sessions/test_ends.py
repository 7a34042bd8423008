"""How sessions end: archived, cleared, deleted; and what strangers learn of them."""

from __future__ import annotations

import pytest

from homeport.kernel import ids
from homeport.sessions.service import delete
from sessions.agent import ask, hang
from sessions.door import Door


async def test_archive_when_put_away_then_it_takes_no_messages_until_taken_back(
    door: Door,
) -> None:
    session_id = await door.session()
    archived = await door.post(f"/sessions/{session_id}/archive")
    assert archived["status"] == "archived"
    again = await door.call("PATCH", f"/sessions/{session_id}", {"status": "archived"})
    assert (again.json["status"], again.json["is_active"]) == ("archived", False)
    refused = await door.call("POST", f"/sessions/{session_id}/messages", {"content": "Ahoy"})
    assert (refused.status, refused.code) == (409, "session.archived")
    back = await door.call("PATCH", f"/sessions/{session_id}", {"is_active": True})
    assert (back.json["status"], back.json["is_active"]) == ("idle", True)
    await door.say(session_id)


async def test_archive_and_clear_when_a_run_is_unfinished_then_they_are_refused(
    door: Door,
) -> None:
    door.agent.plan = hang
    session_id = await door.session()
    said = await door.say(session_id)
    for verb in ("archive", "clear"):
        refused = await door.call("POST", f"/sessions/{session_id}/{verb}")
        assert (refused.status, refused.code) == (409, "session.busy")
        assert refused.json["run_id"] == said["run_id"]


async def test_clear_when_done_then_the_messages_go_and_numbers_begin_again(door: Door) -> None:
    session_id = await door.session()
    key = {"Idempotency-Key": "tap"}
    body = {"content": "Ahoy", "client_message_id": "m1"}
    path = f"/sessions/{session_id}/messages"
    said = (await door.call("POST", path, body, headers=key)).json
    await door.until(said["run_id"], "finished")
    page = await door.get(f"{path}?limit=1")
    await door.post(f"/sessions/{session_id}/clear")
    assert (await door.get(path))["messages"] == []
    stale = await door.call("GET", f"{path}?cursor={page['next_cursor']}")
    assert (stale.status, stale.code) == (400, "page.bad-cursor")
    repeat = await door.call("POST", path, body, headers=key)
    assert (repeat.status, repeat.code) == (404, "message.not-found")
    await door.say(session_id, "Again", client_message_id="m1")
    assert (await door.get(path))["messages"][0]["content"] == "Again"
    assert (await door.run(said["run_id"]))["usage"]["output_tokens"] == 5


async def test_delete_when_runs_are_unfinished_then_they_end_first(door: Door) -> None:
    door.agent.plan = hang
    session_id = await door.session()
    running, queued = await door.say(session_id), await door.say(session_id)
    await door.until(running["run_id"], "running")
    deleted = await door.call("DELETE", f"/sessions/{session_id}")
    assert (deleted.status, deleted.json) == (204, None)
    kinds = await door.kinds(session_id)
    assert kinds[-1] == "session.deleted"
    assert kinds.count("run.finished") == 2
    for path in (
        f"/sessions/{session_id}",
        f"/sessions/{session_id}/messages",
        f"/runs/{queued['run_id']}",
    ):
        gone = await door.call("GET", path)
        assert (gone.status, gone.code) == (404, "session.not-found")
    again = await door.call("DELETE", f"/sessions/{session_id}")
    assert again.status == 404
    assert (await door.get("/sessions"))["total"] == 0


async def test_delete_when_a_question_is_open_then_it_goes_too(door: Door) -> None:
    door.agent.plan = ask
    session_id = await door.session()
    said = await door.say(session_id)
    await door.until(said["run_id"], "waiting")
    assert (await door.call("DELETE", f"/sessions/{session_id}?confirm=true")).status == 204
    gone = await door.call("GET", f"/approvals/{door.agent.asked[0]}")
    assert (gone.status, gone.code) == (404, "approval.not-found")
    assert (await door.get("/approvals"))["total"] == 0


async def test_delete_when_the_node_does_not_let_go_then_the_client_may_ask_again(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delete, "PATIENCE_S", 0.0)
    door.agent.plan = hang
    session_id = await door.session()
    said = await door.say(session_id)
    await door.until(said["run_id"], "running")
    deaf: list[str] = []
    monkeypatch.setattr(door.dispatcher, "stop", deaf.append)
    refused = await door.call("DELETE", f"/sessions/{session_id}")
    assert (refused.status, refused.code) == (409, "session.busy")
    assert set(deaf) == {said["run_id"]}
    await door.until(said["run_id"], "finished")  # its node has looked for itself
    assert (await door.call("DELETE", f"/sessions/{session_id}")).status == 204


@pytest.mark.requirement("26")
async def test_strangers_when_they_know_an_id_then_they_are_told_nothing(door: Door) -> None:
    door.agent.plan = ask
    session_id = await door.session()
    said = await door.say(session_id)
    await door.until(said["run_id"], "waiting")
    session, run = f"/sessions/{session_id}", f"/runs/{said['run_id']}"
    approval = f"/approvals/{door.agent.asked[0]}"
    tool: dict[str, object] = {"tool_name": "t", "tool_type": "custom", "input_params": {}}
    calls: list[tuple[str, str, object]] = [
        ("GET", session, None),
        ("PATCH", session, {"name": "Mine"}),
        ("PUT", session, {"name": "Mine"}),
        ("DELETE", session, None),
        ("POST", f"{session}/messages", {"content": "Ahoy"}),
        ("GET", f"{session}/messages", None),
        ("POST", f"{session}/stop", {"queue": True}),
        ("POST", f"{session}/clear", None),
        ("POST", f"{session}/archive", None),
        ("GET", f"{session}/stats", None),
        ("GET", f"{session}/tools", None),
        ("POST", f"{session}/tools", tool),
        ("GET", f"{session}/runs", None),
        ("GET", run, None),
        ("POST", f"{run}/stop", None),
        ("GET", approval, None),
        ("POST", approval, {"decision": "approve"}),
    ]
    before = await door.kinds(session_id)
    for method, path, body in calls:
        seen = await door.call(method, path, body, name="bob")
        absent_path = path
        for known in (session_id, said["run_id"], door.agent.asked[0]):
            absent_path = absent_path.replace(known, ids.new_id())
        absent = await door.call(method, absent_path, body, name="bob")
        assert (seen.status, seen.code) == (404, absent.code), (method, path)
        assert absent.status == 404, (method, path)
        nonsense = await door.call(method, path.replace("-", "%20"), body, name="bob")
        assert nonsense.status == 404, (method, path)
        nobody = await door.call(method, path, body, name=None)
        assert nobody.status == 401, (method, path)
    assert await door.kinds(session_id) == before
    assert (await door.get("/sessions", name="bob"))["sessions"] == []
    assert (await door.get("/approvals", name="bob"))["approvals"] == []
