"""A socket's frames carry no signature: whoever signs every request reads on it, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from homeport.readers.stream.websocket.commands import DecideApproval, SendMessage, StopRun
from homeport.wiring.routes import ROUTERS
from identity.signatures.signer import Signer
from readers.api import Api, admin_of
from support.server import Server
from support.sockets import desk, socket, told, until

NOBODYS = "01a20692-6d7b-7141-8323-1ad66097cb6e"


async def signed_post(
    api: Api, signer: Signer, path: str, document: Mapping[str, Any], headers: dict[str, str]
) -> Any:
    """What a signed request is answered."""
    body = orjson.dumps(document)
    sent = signer.sign("POST", path, headers, body)
    async with api.http.post(api.base_url + path, data=body, headers=sent) as answer:
        assert answer.status in {200, 201}, await answer.text()
        return await answer.json()


@pytest.mark.requirement("62")
async def test_socket_when_its_key_signs_every_request_then_it_reads_and_changes_nothing(
    server: Server,
) -> None:
    signer = Signer(origin="http://127.0.0.1:0")  # the port that this server was told to choose
    async with admin_of(server) as admin:
        ada = await admin.somebody_else()
        session_id = await ada.session()
        key = {"name": "laptop", "public_key": signer.jwk}
        await signed_post(ada, signer, "/v1/auth/signing-keys", key, ada.headers)
        phone = await ada.with_key(signed_only=True)
        assert (await phone.call("POST", "/v1/stream-tickets")).code == "auth.signature-required"

        async def ticket(of: str | None) -> str:
            body = {} if of is None else {"session_id": of}
            path = "/v1/stream-tickets"
            return (await signed_post(ada, signer, path, body, phone.headers))["ticket"]

        page = {"Origin": server.base_url}
        by_ticket = (f"/v1/ws?ticket={await ticket(None)}", page)
        by_header = ("/v1/ws", signer.sign("GET", "/v1/ws", phone.headers))
        for path, headers in (by_ticket, by_header):
            async with desk(server.base_url, headers, path=path) as client:
                answer = await client.ask("subscribe", session_id=session_id, after="0")
                assert answer["type"] == "ack"
                await client.until("session.created")
                for kind, route, members in (
                    (
                        "message.send",
                        "POST /v1/sessions/{session_id}/messages",
                        {"session_id": session_id, "content": "hello"},
                    ),
                    ("run.stop", "POST /v1/runs/{run_id}/stop", {"run_id": NOBODYS}),
                    (
                        "approval.decide",
                        "POST /v1/approvals/{approval_id}",
                        {"approval_id": NOBODYS, "decision": "approve"},
                    ),
                ):
                    refused = await client.ask(kind, **members)
                    assert (refused["status"], refused["error"]["code"]) == (
                        401,
                        "auth.signature-required",
                    )
                    assert refused["detail"] == f"Send {route}, signed."
                assert (await client.ask("unsubscribe", session_id=session_id))["type"] == "ack"
        path = f"/v1/sessions/{session_id}/ws?after=0&ticket={await ticket(session_id)}"
        async with socket(server.base_url, path, page) as single:
            await until(told(single), kind="session.created")
            await single.send('{"type": "message.send"}')
            assert [each async for each in told(single)] == []
            assert (single.close_code, single.close_reason) == (1003, "socket.read-only")
        assert await ada.kinds(session_id) == ["session.created"]


def test_commands_when_they_change_something_then_each_names_the_route_that_can_be_signed() -> None:
    routes = {
        f"{method} {getattr(route, 'path', '')}"
        for router in ROUTERS
        for route in router.routes
        for method in getattr(route, "methods", None) or ()
    }
    named = [SendMessage.route, StopRun.route, DecideApproval.route]
    assert routes.issuperset(named)
    assert len(set(named)) == len(named)
