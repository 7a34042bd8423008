"""Commands on the WebSocket of many sessions are the routes, on a real server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from readers.api import Answer, Api, admin_of
from support.server import Server
from support.sockets import Desk, desk


async def until_asked(client: Desk) -> dict[str, Any]:
    """The agent's question."""
    return await client.until("approval.requested")


async def test_message_when_sent_then_it_is_answered_like_the_route_and_the_agent_answers(
    server: Server,
) -> None:
    async with admin_of(server) as admin, desk(server.base_url, admin.headers) as client:
        session_id = await admin.session()
        await client.ask("subscribe", session_id=session_id, after="0")
        message: dict[str, Any] = {"session_id": session_id, "content": "hello"}
        answer = await client.ask("message.send", **message, client_message_id="m1")
        assert answer["result"].keys() == {"message_id", "run_id", "cursor"}
        submitted = await client.until("message.submitted")
        assert submitted["message_id"] == answer["result"]["message_id"]
        assert (await client.until("message.delta"))["text"]
        finished = await client.until("run.finished")
        assert finished["run_id"] == answer["result"]["run_id"]
        again = await client.ask("message.send", **message, client_message_id="m1")
        assert again["result"] == answer["result"]
        other = {**message, "content": "something else", "client_message_id": "m1"}
        refused = await client.ask("message.send", **other)
        assert (refused["status"], refused["error"]["code"]) == (409, "message.repeated")
        empty = await client.ask("message.send", session_id=session_id, content=" ")
        assert (empty["status"], empty["error"]["code"]) == (400, "message.empty")


async def test_run_when_stopped_then_it_is_answered_like_the_route(server: Server) -> None:
    async with admin_of(server) as admin, desk(server.base_url, admin.headers) as client:
        session_id = await admin.session()
        await client.ask("subscribe", session_id=session_id, after="0")
        message = {"session_id": session_id, "content": "tell me a long story"}
        run_id = (await client.ask("message.send", **message))["result"]["run_id"]
        await client.until("message.delta")
        answer = await client.ask("run.stop", run_id=run_id)
        assert answer["result"] == {
            "run_id": run_id,
            "session_id": session_id,
            "status": "stopping",
        }
        await client.until("message.interrupted")
        assert (await client.until("run.finished"))["status"] == "stopped"
        over = await client.ask("run.stop", run_id=run_id)
        assert (over["status"], over["error"]["code"]) == (409, "run.over")


async def test_approval_when_decided_then_the_first_answer_counts_on_every_socket(
    server: Server,
) -> None:
    async with (
        admin_of(server) as admin,
        desk(server.base_url, admin.headers) as phone,
        desk(server.base_url, admin.headers) as laptop,
    ):
        session_id = await admin.session(permission_mode="default")
        for client in (phone, laptop):
            await client.ask("subscribe", session_id=session_id, after="0")
        await admin.say(session_id, "write a file")
        approval_id = (await until_asked(phone))["approval_id"]
        note = {"note": "not now", "decision": "deny"}
        answer = await phone.ask("approval.decide", approval_id=approval_id, **note)
        assert answer["result"] == await admin.get(f"/v1/approvals/{approval_id}")
        assert (answer["result"]["status"], answer["result"]["note"]) == ("denied", "not now")
        assert (await laptop.until("approval.denied"))["approval_id"] == approval_id
        late = await laptop.ask("approval.decide", approval_id=approval_id, decision="approve")
        assert (late["status"], late["error"]["code"]) == (409, "approval.decided")
        assert late["decision"] == "denied"


@pytest.mark.requirement("26")
async def test_commands_when_they_name_what_is_somebody_elses_then_nothing_is_found_or_done(
    server: Server,
) -> None:
    async with admin_of(server) as admin:
        session_id = await admin.session(permission_mode="default")
        run_id = (await admin.say(session_id, "write a file"))["run_id"]
        while not (questions := (await asked_in(admin, session_id))):
            await asyncio.sleep(0.05)
        before = await admin.events(session_id, "0")
        eve = await admin.somebody_else()
        async with desk(server.base_url, eve.headers) as client:
            for kind, members in (
                ("subscribe", {"session_id": session_id, "after": "0"}),
                ("subscribe", {"session_id": session_id, "after": "999"}),
                ("unsubscribe", {"session_id": session_id}),
                ("message.send", {"session_id": session_id, "content": "hello"}),
                ("run.stop", {"run_id": run_id}),
                ("approval.decide", {"approval_id": questions[0], "decision": "approve"}),
            ):
                answer = await client.ask(kind, **members)
                assert (answer["type"], answer["status"]) == ("error", 404), answer
            assert client.events == []
        assert [each["cursor"] for each in await admin.events(session_id, "0")] == [
            each["cursor"] for each in before
        ]
        await admin.post(f"/v1/runs/{run_id}/stop")


async def asked_in(api: Api, session_id: str) -> list[str]:
    """The ids of the open questions of a session."""
    page = await api.get("/v1/approvals?status=requested")
    return [each["id"] for each in page["approvals"] if each["session_id"] == session_id]


@pytest.mark.requirement("25")
async def test_commands_when_the_key_may_only_read_then_it_follows_and_changes_nothing(
    server: Server,
) -> None:
    async with admin_of(server) as admin:
        session_id = await admin.session()
        reader = await admin.with_key(scopes=["api:read"])
        async with desk(server.base_url, reader.headers) as client:
            assert (await client.ask("subscribe", session_id=session_id))["type"] == "ack"
            message = {"session_id": session_id, "content": "hello"}
            answer = await client.ask("message.send", **message)
            assert (answer["status"], answer["error"]["code"]) == (403, "auth.scope-required")
        by_route: Answer = await reader.call(
            "POST", f"/v1/sessions/{session_id}/messages", {"content": "hello"}
        )
        assert (by_route.status, by_route.code) == (403, "auth.scope-required")
        assert await admin.kinds(session_id) == ["session.created"]


@pytest.mark.requirement("60")
@pytest.mark.parametrize("by_ticket", [False, True])
async def test_command_when_it_is_forbidden_then_the_account_has_an_event(
    server: Server, *, by_ticket: bool
) -> None:
    async with admin_of(server) as admin:
        eve = await admin.somebody_else()
        reader = await eve.with_key(scopes=["api:read"])
        path, headers = "/v1/ws", reader.headers
        if by_ticket:
            ticket = (await reader.post("/v1/stream-tickets"))["ticket"]
            path, headers = f"{path}?ticket={ticket}", {"Origin": server.base_url}
        async with desk(server.base_url, headers, path=path) as client:
            refused = await client.ask("run.stop", run_id="none")
            assert refused["error"]["code"] == "auth.scope-required"
        async with asyncio.timeout(30):
            while not (found := (await eve.get("/v1/audit/me?kind=access.denied"))["events"]):
                await asyncio.sleep(0.05)
        told = found[0]["payload"]
        assert (told["route"], told["code"]) == ("WS /v1/ws", "auth.scope-required")


@pytest.mark.parametrize("path", ["/ws", "/v1/chat/stream", "/api/ws", "/api/v1/chat/stream"])
async def test_old_names_when_opened_then_they_are_the_socket_of_many_sessions(
    server: Server, path: str
) -> None:
    async with desk(server.base_url, server.admin, path=path) as client:
        answer = await client.ask("unsubscribe", session_id="none")
        assert answer["error"]["code"] == "subscription.not-found"
        assert answer["instance"] == "/v1/ws"
