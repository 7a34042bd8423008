"""Tools, figures and runs as the log and its indexes tell them."""

from __future__ import annotations

from typing import Any

from homeport.dispatch import Claim
from sessions.agent import Agent, ask
from sessions.door import Door


async def use_tools(agent: Agent, claim: Claim) -> None:
    """Two calls, the second of which fails with a long text."""
    await agent.speak(claim, [{"type": "text", "text": "Looking."}])
    await agent.use_tool(claim, "call_1", "a.txt")
    await agent.use_tool(claim, "call_2", "x" * 40_000, is_error=True)
    await agent.finish(claim)


async def test_tools_when_used_then_the_history_tells_what_went_in_and_came_out(
    door: Door,
) -> None:
    door.agent.plan = use_tools
    session_id = await door.session()
    said = await door.say(session_id)
    await door.until(said["run_id"], "finished")
    page = await door.get(f"/sessions/{session_id}/tools")
    failed, fine = page["executions"]
    assert fine["input_params"] == {"command": "ls"}
    assert fine["output"] == {"content": "a.txt", "exit_code": 0, "details": {}}
    assert (fine["status"], fine["tool_name"], fine["tool_type"]) == ("completed", "Bash", "native")
    assert (fine["execution_time_ms"], fine["error_message"]) == (40, None)
    assert fine["run_id"] == said["run_id"]
    assert failed["status"] == "failed"
    assert failed["output"]["truncated"] is True
    assert failed["output"]["href"].startswith(f"/v1/sessions/{session_id}/events/")
    assert failed["error_message"] == "x" * 2_000
    assert page["metrics"] == {
        "total": 2,
        "success_rate": 0.5,
        "average_execution_time_ms": 40.0,
    }
    assert (page["total"], page["session_id"]) == (2, session_id)


async def test_tools_when_filtered_and_paged_then_only_those_come(door: Door) -> None:
    door.agent.plan = use_tools
    session_id = await door.session()
    said = await door.say(session_id)
    await door.until(said["run_id"], "finished")
    path = f"/sessions/{session_id}/tools"
    broken = await door.get(f"{path}?status=failed&tool_type=native")
    assert [each["call_id"] for each in broken["executions"]] == ["call_2"]
    assert broken["metrics"]["success_rate"] == 0.0
    first = await door.get(f"{path}?limit=1")
    second = await door.get(f"{path}?limit=1&cursor={first['next_cursor']}")
    assert [each["call_id"] for each in second["executions"]] == ["call_1"]
    assert (await door.get(f"{path}?tool_type=mcp"))["executions"] == []
    for query in ("tool_type=foreign", "status=great"):
        refused = await door.call("GET", f"{path}?{query}")
        assert (refused.status, refused.code) == (400, "request.not-a-choice")


async def test_tools_when_a_call_was_never_made_then_its_input_is_that_of_the_question(
    door: Door,
) -> None:
    door.agent.plan = ask
    session_id = await door.session()
    said = await door.say(session_id)
    await door.until(said["run_id"], "waiting")
    await door.post(f"/sessions/{session_id}/stop")
    page = await door.get(f"/sessions/{session_id}/tools")
    assert [each["input_params"] for each in page["executions"]] == [{"command": "ls"}]
    assert page["executions"][0]["error_message"].startswith("The run was stopped")


async def test_report_when_a_tool_ran_elsewhere_then_it_is_in_the_history(door: Door) -> None:
    session_id = await door.session()
    path = f"/sessions/{session_id}/tools"
    body: dict[str, Any] = {
        "id": "their-7",
        "tool_name": "linter",
        "tool_type": "custom",
        "input_params": {"file": "a.py"},
        "output": {"lines": 3},
        "status": "completed",
        "execution_time_ms": 12,
    }
    reported = await door.call("POST", path, body)
    assert reported.status == 201
    assert reported.json["call_id"] == "their-7"
    assert reported.json["completed_at"] is not None
    assert (await door.get(path))["executions"] == [reported.json]
    assert await door.kinds(session_id) == ["session.created", "tool.recorded"]
    wrong: list[dict[str, Any]] = [
        {"tool_type": "foreign"},
        {"status": "great"},
        {"execution_time_ms": -1},
        {"input_params": "a.py"},
        {"tools": ["Bash"]},
    ]
    for change in wrong:
        refused = await door.call("POST", path, body | change)
        assert (refused.status, refused.code) == (422, "request.unprocessable"), change


async def test_stats_when_something_was_done_then_they_count_it(door: Door) -> None:
    door.agent.plan = use_tools
    session_id = await door.session(metadata={"client": "phone"})
    said = await door.say(session_id)
    await door.until(said["run_id"], "finished")
    stats = await door.get(f"/sessions/{session_id}/stats")
    assert stats["message_count"] == 2
    assert stats["token_usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
    }
    assert stats["active_tools"] == ["Bash"]
    assert (stats["tool_invocations"], stats["error_count"]) == (2, 1)
    assert stats["cost_estimate"] == 0.25
    assert stats["status"] == "active"
    assert stats["average_response_time"] > 0
    assert stats["memory_usage"]["session_data"] > 40_000
    assert stats["metadata"] == {"client": "phone"}
    assert stats["tokenUsage"] == stats["token_usage"]


async def test_runs_when_finished_or_not_then_their_usage_is_told(door: Door) -> None:
    door.agent.plan = ask
    session_id = await door.session()
    first = await door.say(session_id)
    waiting = await door.until(first["run_id"], "waiting")
    assert (waiting["turns"], waiting["usage"]["output_tokens"]) == (1, 5)
    assert (waiting["outcome"], waiting["finished_at"]) == (None, None)
    await door.post(f"/approvals/{door.agent.asked[0]}", {"decision": "approve"})
    done = await door.until(first["run_id"], "finished")
    assert done["usage"] == {
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "total_cost": 0.25,
    }
    assert done["finished_at"] is not None
    page = await door.get(f"/sessions/{session_id}/runs?limit=1")
    assert (page["runs"], page["next_cursor"]) == ([done], None)
