"""Who is let in on a WebSocket, and for how long: on a real server, before anything is accepted."""

from __future__ import annotations

import asyncio
import base64
import socket as sockets
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import orjson
import pytest

from readers.api import admin_of
from support.server import MakeServer, Server
from support.sockets import desk, refusal, socket, told, until

KEY = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
HOSTILE = (
    "null",
    "http://evil.example",
    "https://{host}",
    "http://{host}.evil.example",
    "http://evil.example?{host}",
    "http://{name}:1",
    "HTTP://{host}",
    "http://{host}/",
    "file://",
    "capacitor://localhost.evil.example",
    "capacitor://localhost:80",
    "http://localhost:30000",
    "http://xlocalhost:3000",
    "http://localhost:3000, http://{host}",
    "*",
    "",
)


@pytest.mark.requirement("32")
@pytest.mark.parametrize("origin", HOSTILE)
@pytest.mark.parametrize("path", ["/v1/ws", "/ws", "/v1/sessions/x/ws", "/v1/nowhere"])
@pytest.mark.requirement("CVE-23")
async def test_handshake_when_it_comes_from_a_foreign_page_then_it_is_refused(
    server: Server, origin: str, path: str
) -> None:
    host = urlsplit(server.base_url)
    given = origin.format(host=host.netloc, name=host.hostname)
    refused = await refusal(server.base_url, path, {**server.admin, "Origin": given})
    assert (refused.status, refused.code) == (403, "request.origin-refused")
    assert refused.headers["x-content-type-options"] == "nosniff"


@pytest.mark.requirement("32")
async def test_handshake_when_it_comes_from_one_of_our_pages_or_none_then_it_is_accepted(
    make_server: MakeServer,
) -> None:
    server = make_server(PUBLIC_URL="https://ship.example/", CORS_ORIGINS="https://app.example")
    for origin in (None, server.base_url, "https://ship.example", "https://app.example"):
        async with socket(server.base_url, "/v1/ws", server.admin, origin=origin):
            pass
    default = {**server.admin, "Origin": "http://localhost:3000"}
    assert (await refusal(server.base_url, "/v1/ws", default)).status == 403


@pytest.mark.requirement("32")
async def test_handshake_when_nobody_is_known_to_call_then_it_is_refused(server: Server) -> None:
    async with admin_of(server) as admin:
        session_id = await admin.session()
        key = admin.headers["Authorization"].removeprefix("Bearer ")
        eve = await admin.somebody_else()
        token = eve.headers["Authorization"].removeprefix("Bearer ")
    encoded = base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()
    for path in (f"/v1/sessions/{session_id}/ws", "/v1/ws"):
        for query, headers in (
            ("", {}),
            ("", {"Authorization": "Bearer nonsense"}),
            ("", {"Authorization": f"Basic {key}"}),
            ("", {"X-API-Key": token}),
            ("", {"Cookie": f"access_token={token}"}),
            ("", {"Sec-WebSocket-Protocol": f"bearer, {token}"}),
            ("", {"Sec-WebSocket-Protocol": f"base64url.bearer.authorization.k8s.io.{encoded}"}),
            (f"?token={token}", {}),
            (f"?access_token={token}", {}),
            (f"?api_key={key}", {}),
            (f"?ticket={key}", {"Origin": server.base_url}),
        ):
            refused = await refusal(server.base_url, path + query, headers)
            assert (refused.status, refused.document["error"]["type"]) == (
                401,
                "authentication_error",
            )
        async with socket(server.base_url, path, {"X-API-Key": key}):
            pass


@pytest.mark.requirement("32", "60")
async def test_handshake_when_refused_though_its_credential_is_known_then_the_account_is_told(
    server: Server,
) -> None:
    async with admin_of(server) as admin:
        eve = await admin.somebody_else()
        session_id, ticket = await eve.session(), await eve.ticket()
        foreign = {**eve.headers, "Origin": "http://evil.example"}
        for path, headers, code in (
            ("/v1/ws", foreign, "request.origin-refused"),
            (f"/v1/ws?ticket={ticket}", {}, "auth.origin-missing"),
            (
                f"/v1/sessions/{session_id}/ws?ticket={ticket}",
                {"Origin": server.base_url},
                "auth.ticket-refused",
            ),
        ):
            refused = await refusal(server.base_url, path, headers)
            assert refused.code == code
        async with asyncio.timeout(30):
            while len(found := (await eve.get("/v1/audit/me?kind=access.denied"))["events"]) < 3:
                await asyncio.sleep(0.05)
        told = {(each["payload"]["code"], each["payload"]["route"]) for each in found}
        assert told == {
            ("request.origin-refused", "WS"),  # before it is looked at where it leads
            ("auth.origin-missing", "WS /v1/ws"),
            ("auth.ticket-refused", "WS /v1/sessions/{session_id}/ws"),
        }
        assert {each["actor"] for each in found} == {"system"}
        assert ticket not in str(found)


@pytest.mark.requirement("22", "32")
async def test_socket_when_its_key_expires_then_it_ends_and_another_key_resumes(
    server: Server,
) -> None:
    async with admin_of(server) as admin:
        session_id = await admin.session()
        soon = datetime.now(UTC) + timedelta(seconds=2)
        brief = await admin.with_key(expires_at=soon.isoformat())
        path = f"/v1/sessions/{session_id}/ws?after=0"
        async with (
            socket(server.base_url, path, brief.headers) as single,
            desk(server.base_url, brief.headers) as many,
        ):
            await many.ask("subscribe", session_id=session_id, after="0")
            last = [each async for each in told(single)][-1]
            assert (last["kind"], last["code"]) == ("stream.ended", "auth.invalid-credential")
            assert single.close_code == 1008
            where, event = (await many.rest())[-1]
            assert (where, event["kind"], event["cursor"]) == (session_id, last["kind"], "1")
            assert many.connection.close_code == 1008
        await admin.say(session_id, "hello")
        path = f"/v1/sessions/{session_id}/ws?after={last['cursor']}"
        async with socket(server.base_url, path, admin.headers) as again:
            got = await until(told(again), kind="message.submitted")
            assert [each["kind"] for each in got] == ["stream.heartbeat", "message.submitted"]


@pytest.mark.requirement("22")
@pytest.mark.parametrize("how", ["key", "sign-out"])
async def test_socket_when_its_credential_is_revoked_then_it_ends_within_seconds(
    server: Server, how: str
) -> None:
    async with admin_of(server) as admin:
        person = await admin.somebody_else()
        holder = await person.with_key() if how == "key" else person
        async with socket(server.base_url, "/v1/ws", holder.headers) as connection:
            if how == "key":
                await person.revoke_key()
            else:
                await person.post("/v1/auth/logout")
            async with asyncio.timeout(30):
                assert [each async for each in told(connection)] == []
            assert connection.close_code == 1008


async def test_sockets_when_the_server_stops_then_all_say_so_and_it_ends_with_zero(
    make_server: MakeServer,
) -> None:
    server = make_server()
    async with admin_of(server) as admin:
        session_id = await admin.session()
        path = f"/v1/sessions/{session_id}/ws"
        async with (
            socket(server.base_url, path, admin.headers) as single,
            desk(server.base_url, admin.headers) as many,
        ):
            await many.ask("subscribe", session_id=session_id)
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            assert [each["kind"] async for each in told(single)][-1] == "server.draining"
            assert (await many.rest())[-1][1]["kind"] == "server.draining"
            assert single.close_code == many.connection.close_code == 1001
            assert await stopping == 0


@pytest.mark.requirement("45")
@pytest.mark.parametrize(
    "headers",
    [
        "Sec-WebSocket-Version: 13\r\n",
        f"Sec-WebSocket-Version: 8\r\n{KEY}",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n",
        f"Sec-WebSocket-Version: 13\r\n{KEY}X-Long: {'x' * 9_000}\r\n",
    ],
)
async def test_handshake_when_it_is_none_then_it_gets_the_error_document_and_the_end(
    server: Server, headers: str
) -> None:
    answer = await asyncio.to_thread(raw, server, headers)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head.lower()
    assert orjson.loads(body)["error"]["code"] == "request.not-websocket"
    async with admin_of(server) as admin:
        await admin.get("/health")


def raw(server: Server, headers: str) -> bytes:
    """What the server answers to this handshake, until it closes the connection."""
    port = urlsplit(server.base_url).port
    request = (
        f"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\n{headers}\r\n"
    )
    with sockets.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request.encode())
        answer = b""
        while some := connection.recv(65_536):
            answer += some
    return answer


@pytest.mark.requirement("33")
async def test_handshake_when_the_host_is_not_ours_then_it_is_refused(server: Server) -> None:
    answer = await asyncio.to_thread(
        raw,
        server,
        f"Host: evil.example\r\nSec-WebSocket-Version: 13\r\n{KEY}",
    )
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_sockets_when_opened_and_closed_then_the_log_tells_each_once_without_a_secret(
    make_server: MakeServer,
) -> None:
    server = make_server(LOG_LEVEL="DEBUG")
    async with admin_of(server) as admin:
        session_id = await admin.session()
        ticket = await admin.ticket()
        async with socket(
            server.base_url, f"/ws?ticket={ticket}", origin=server.base_url
        ) as connection:
            await connection.close()
        ticket_of_one = await admin.ticket(session_id)
        path = f"/v1/sessions/{session_id}/ws?ticket={ticket_of_one}"
        async with socket(server.base_url, path, origin=server.base_url) as connection:
            await connection.close()
        await refusal(server.base_url, f"/v1/ws%3Fticket={ticket}", {"Origin": server.base_url})
        await settled(server)
    assert "ws" in server.log()
    for secret in (ticket, ticket_of_one, server.admin_key):
        assert secret.partition("_")[2] not in server.log()
    served = server.log_events("request.served")
    assert [each["path"] for each in served if each["method"] == "WEBSOCKET"] == [
        "/v1/ws",
        f"/v1/sessions/{session_id}/ws",
        "/v1/ws",
    ]


async def settled(server: Server) -> None:
    """Waits until the log has told of the three sockets."""
    while len([e for e in server.log_events("request.served") if e["method"] == "WEBSOCKET"]) < 3:
        await asyncio.sleep(0.1)
