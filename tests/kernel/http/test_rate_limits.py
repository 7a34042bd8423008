"""How much may be asked, at the door of a real server with the limits that it has by default."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import orjson
import pytest
from fastapi import FastAPI
from starlette.middleware import Middleware

from homeport.kernel.http.errors import install_error_handlers
from homeport.kernel.http.middleware import Edge, Rates
from homeport.kernel.http.middleware.rates import RateLimiter, RatePolicy
from homeport.kernel.http.provide import Services
from homeport.kernel.ids import new_id
from homeport.kernel.rates import MemoryCounters
from homeport.wiring.credentials import CREDENTIALS
from support.answer import Answer
from support.beside import beside
from support.server import MakeServer, Server
from support.sockets import desk
from support.valkey import Valkey

OPENAPI = Path(__file__).parents[3] / "docs" / "openapi.json"
TAKEN = re.compile(r"(^|_)(password|passcode|code|otp|pin|token|secret|credential)$")
GIVEN = re.compile(
    r"(^|_)(token|secret|credential|api_key|recovery_codes|(device|invitation)_code)$"
)
LENIENT = {
    "GET /v1/auth/csrf",  # of a page that has its refresh token already
    "GET /v1/auth/me",  # `api_key` is null there
    "PUT /v1/auth/me",
    "POST /v1/auth/logout",  # ends what it is given
    "POST /v1/auth/verify-token",  # knows of the caller's own alone
}
"""What takes or gives one and is asked for often, without anything to gain by it."""
PASSWORD = "crimson-otter-plays-9-flutes"
ANYBODY = "/.well-known/jwks.json"
FIELD = re.compile(r'"[a-z-]+";r=\d+;t=\d+')
POLICY = re.compile(r'"[a-z-]+";q=\d+;w=60')
_addresses = (f"203.0.113.{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server behind a trusted proxy, which tells it whatever address a test wants."""
    defaults = {
        "RATE_LIMIT_REQUESTS": "100",
        "RATE_LIMIT_STREAMS": "600",
        "RATE_LIMIT_REFRESHES": "60",
        "RATE_LIMIT_CREDENTIALS": "20",
        "MAX_REQUEST_SIZE": "100000",
    }
    folder = tmp_path_factory.mktemp("limited")
    with Server(folder, TRUSTED_PROXIES="127.0.0.1/32, 198.51.100.0/24", **defaults) as started:
        yield started


class Client:
    """Somebody at an address of their own."""

    def __init__(self, http: aiohttp.ClientSession, server: Server, address: str) -> None:
        self._http = http
        self._server = server
        self.address = address

    async def ask(
        self, path: str = ANYBODY, *, method: str = "GET", json: object = None, **headers: str
    ) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given.setdefault("X-Forwarded-For", self.address)
        async with self._http.request(
            method, self._server.base_url + path, json=json, headers=given
        ) as answer:
            return await Answer.of(answer)

    async def register(self) -> dict[str, Any]:
        body = {"email": f"{secrets.token_hex(8)}@example.com", "password": PASSWORD}
        answer = await self.ask("/v1/auth/register", method="POST", json=body)
        assert answer.status == 201, answer.body
        return answer.json


@pytest.fixture
async def client(limited: Server) -> AsyncIterator[Client]:
    connector = aiohttp.TCPConnector(limit=50)
    async with aiohttp.ClientSession(connector=connector) as http:
        yield Client(http, limited, next(_addresses))


def members_of(schema: Any, known: dict[str, Any]) -> set[str]:
    """The names of members in a schema, nested ones included."""
    if isinstance(schema, list):
        return {name for part in cast("list[Any]", schema) for name in members_of(part, known)}
    if not isinstance(schema, dict):
        return set()
    parts = cast("dict[str, Any]", schema)
    if "$ref" in parts:
        return members_of(known[str(parts["$ref"]).rpartition("/")[2]], known)
    found = set(parts.get("properties", {}))
    return found | {name for part in parts.values() for name in members_of(part, known)}


async def statuses(answers: Iterable[Awaitable[Answer]]) -> Counter[int]:
    return Counter(answer.status for answer in await asyncio.gather(*answers))


@pytest.mark.requirement("47")
async def test_request_when_it_is_the_hundred_and_first_of_nobody_then_refused(
    client: Client,
) -> None:
    for number in range(100):
        answer = await client.ask()
        assert answer.status == 200
        assert answer.headers["x-ratelimit-remaining"] == str(99 - number)
    refused = await client.ask()
    assert (refused.status, refused.code) == (429, "rate-limited")
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (refused.json["quota"], refused.json["limit"]) == ("anonymous", 100)
    assert (await client.ask("/readyz")).status == 200  # health is not counted
    assert (await client.ask(X_Forwarded_For=next(_addresses))).status == 200


@pytest.mark.requirement("47")
async def test_request_when_150_of_one_account_come_50_at_once_then_exactly_100_pass(
    client: Client,
) -> None:
    person = await client.register()
    proofs = (
        {"Authorization": f"Bearer {person['access_token']}"},
        {"X_API_Key": person["user"]["api_key"]},
    )
    told = await statuses(
        [
            client.ask("/v1/auth/me", X_Forwarded_For=f"192.0.2.{number % 5}", **proofs[number % 2])
            for number in range(150)
        ]
    )
    assert told == {200: 100, 429: 50}
    other = await client.register()
    proof = {"Authorization": f"Bearer {other['access_token']}"}
    assert (await client.ask("/v1/auth/me", **proof)).status == 200


async def test_request_when_its_credential_is_refused_then_it_counts_as_nobodys(
    client: Client,
) -> None:
    forged = [client.ask("/v1/auth/me", Authorization=f"Bearer {n}") for n in range(110)]
    assert await statuses(forged) == {401: 100, 429: 10}
    assert (await client.ask()).status == 429
    person = await Client(client._http, client._server, next(_addresses)).register()  # pyright: ignore[reportPrivateUsage]
    proof = {"Authorization": f"Bearer {person['access_token']}"}
    assert (await client.ask("/v1/auth/me", **proof)).status == 200  # who proves it, goes on


@pytest.mark.requirement("47")
async def test_address_when_it_is_in_one_ipv6_64_then_it_is_one(client: Client) -> None:
    block = secrets.token_hex(2)
    near = [client.ask(X_Forwarded_For=f"2001:db8:{block}::{number:x}") for number in range(105)]
    assert await statuses(near) == {200: 100, 429: 5}
    assert (await client.ask(X_Forwarded_For=f"2001:db8:{block}:1::1")).status == 200


@pytest.mark.requirement("47")
async def test_address_when_a_client_makes_it_up_then_only_what_the_proxies_saw_counts(
    client: Client, limited: Server
) -> None:
    real = next(_addresses)
    made_up = [
        client.ask(X_Forwarded_For=f"192.0.2.{number}, {real}, 198.51.100.7")
        for number in range(105)
    ]
    assert await statuses(made_up) == {200: 100, 429: 5}
    # Whoever is no proxy is believed nothing.
    connector = aiohttp.TCPConnector(local_addr=("127.0.0.77", 0), limit=50)
    async with aiohttp.ClientSession(connector=connector) as http:
        direct = Client(http, limited, "")
        lies = [direct.ask(X_Forwarded_For=f"192.0.2.{number}") for number in range(105)]
        assert await statuses(lies) == {200: 100, 429: 5}


async def test_refresh_when_many_devices_share_an_address_then_each_token_counts_for_itself(
    client: Client,
) -> None:
    def refresh(text: str) -> Awaitable[Answer]:
        return client.ask("/v1/auth/refresh", method="POST", json={"refresh_token": text})

    token: str = (await client.register())["refresh_token"]
    for _ in range(105):  # each is another token
        answer = await refresh(token)
        assert answer.status == 200
        token = answer.json["refresh_token"]
    one = _never_issued()
    assert await statuses([refresh(one) for _ in range(65)]) == {401: 20, 429: 45}
    assert (await refresh(token)).status == 200


@pytest.mark.parametrize("member", ["refresh_token", "device_code"])
async def test_token_when_it_was_never_issued_then_it_counts_as_nobodys(
    client: Client, member: str
) -> None:
    path = {"refresh_token": "/v1/auth/refresh", "device_code": "/v1/auth/device/token"}[member]
    unknown = 401 if member == "refresh_token" else 400
    texts = [text for _ in range(55) for text in (_never_issued(), secrets.token_urlsafe(32))]
    asked = [client.ask(path, method="POST", json={member: text}) for text in texts]
    assert await statuses(asked) == {unknown: 20, 429: 90}
    assert (await client.ask()).status == 429


@pytest.mark.parametrize("route", sorted(CREDENTIALS))
async def test_credential_route_when_an_address_comes_too_often_then_exactly_twenty_pass(
    client: Client, route: str
) -> None:
    method, path = route.split(" ")
    member = {"/v1/auth/refresh": "refresh_token", "/v1/auth/device/token": "device_code"}.get(path)

    def ask() -> Awaitable[Answer]:
        body = {} if member is None else {member: _never_issued()}
        return client.ask(path, method=method, json=None if method == "GET" else body)

    told = await statuses([ask() for _ in range(25)])
    assert told[429] == 5, told
    refused = await ask()
    assert (refused.status, refused.code) == (429, "rate-limited")
    assert (refused.json["quota"], refused.json["limit"]) == ("credentials", 20)
    assert '"credentials";q=20;w=60' in refused.headers["ratelimit-policy"]
    assert '"credentials";r=0;t=' in refused.headers["ratelimit"]
    assert refused.headers["x-ratelimit-limit"] == "20"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert (await client.ask()).status == 200  # everything else is open to that address
    other = await client.ask(path, method=method, X_Forwarded_For=next(_addresses))
    assert other.status != 429


def test_operation_when_it_takes_or_gives_a_credential_then_its_limit_is_stricter() -> None:
    document = json.loads(OPENAPI.read_text(encoding="utf-8"))
    schemas = document["components"]["schemas"]
    found = set[str]()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            taken = members_of(operation.get("requestBody", {}), schemas)
            answers = [each for status, each in operation["responses"].items() if status[0] == "2"]
            given = members_of(answers, schemas)
            if any(map(TAKEN.search, taken)) or any(map(GIVEN.search, given)):
                found.add(f"{method.upper()} {path}")
    known = CREDENTIALS - {"GET /setup"}  # its link is in the query
    # What WebAuthn's options and an own public key are called, no schema tells.
    unseen = {
        "POST /v1/auth/passkeys/login/options",
        "POST /v1/auth/passkeys/register/options",
        "POST /v1/auth/signing-keys",
    }
    assert found - LENIENT == known - unseen, "name it in wiring/credentials.py, or say why not"


async def test_device_code_when_asked_about_too_often_then_it_alone_is_refused(
    client: Client,
) -> None:
    async def begin() -> str:
        answer = await client.ask("/v1/auth/device/authorize", method="POST", json={})
        return str(answer.json["device_code"])

    def fetch(code: str) -> Awaitable[Answer]:
        body = {"device_code": code}
        return client.ask("/v1/auth/device/token", method="POST", json=body)

    one, other = await begin(), await begin()
    assert await statuses([fetch(one) for _ in range(65)]) == {400: 60, 429: 5}
    assert (await fetch(other)).json["error"] == "authorization_pending"


async def test_public_route_when_a_credential_is_shown_then_it_is_still_nobodys(
    client: Client,
) -> None:
    shown = ({"X_API_Key": "x"}, {"Authorization": "Bearer x"})
    claims = [client.ask(**shown[number % 2]) for number in range(105)]
    assert await statuses(claims) == {200: 100, 429: 5}
    page = await client.ask("/docs/signing", X_API_Key="x")  # a path with a name in it
    assert page.status == 429


def _never_issued() -> str:
    return f"hpr_{new_id().replace('-', '')}.{secrets.token_urlsafe(32)}"


async def test_stream_when_opened_then_it_is_counted_apart(client: Client) -> None:
    person = await client.register()
    proof = {"Authorization": f"Bearer {person['access_token']}"}
    path = f"/v1/sessions/{new_id()}/events"
    assert await statuses([client.ask(path, **proof) for _ in range(110)]) == {404: 110}
    answer = await client.ask(path, **proof)
    assert '"account-streams";q=600;w=60' in answer.headers["ratelimit-policy"]
    assert '"address-streams";q=6000;w=60' in answer.headers["ratelimit-policy"]
    assert answer.headers["x-ratelimit-remaining"] == "489"
    assert (await client.ask("/v1/auth/me", **proof)).status == 200


async def test_command_on_a_socket_when_it_is_one_too_many_then_it_alone_is_refused(
    client: Client, limited: Server
) -> None:
    person = await client.register()
    proof = {"Authorization": f"Bearer {person['access_token']}"}
    sent = {**proof, "X-Forwarded-For": client.address}
    async with desk(limited.base_url, sent) as socket:
        for _ in range(98):
            answer = await socket.ask("run.stop", run_id="none")
            assert answer["status"] == 404
        assert (await socket.ask("nothing.known"))["status"] == 422  # it counts all the same
        await socket.connection.send("{")
        assert (await socket.answer(None))["status"] == 400
        refused = await socket.ask("run.stop", run_id="none")
        assert (refused["status"], refused["error"]["code"]) == (429, "rate-limited")
        assert refused["quota"] == "account"
        assert 0 < refused["retry_after"] <= 60
        assert (await client.ask("/v1/auth/me", **proof)).status == 429  # it is the same quota
        still = await socket.ask("unsubscribe", session_id="none")
        assert still["error"]["code"] == "subscription.not-found"


@pytest.mark.requirement("47")
async def test_subscriptions_when_one_too_many_is_begun_then_it_is_refused_and_nothing_else(
    client: Client, limited: Server
) -> None:
    person = await client.register()
    proof = {"Authorization": f"Bearer {person['access_token']}"}
    made = await client.ask("/v1/sessions", method="POST", json={}, **proof)
    session_id = made.json["id"]
    sent = {**proof, "X-Forwarded-For": client.address}
    async with desk(limited.base_url, sent) as socket:  # it counts as a stream, as each of these
        await socket.ask("subscribe", session_id=session_id, after="0")
        await socket.until("session.created")
        ids = [f"u{number}" for number in range(598)]
        for each in ids:
            command = {"type": "unsubscribe", "id": each, "session_id": "none"}
            await socket.connection.send(orjson.dumps(command).decode())
        answers = [await socket.answer(each) for each in ids]
        assert Counter(each["status"] for each in answers) == {404: 598}
        refused = await socket.ask("subscribe", session_id=session_id)
        assert (refused["status"], refused["error"]["code"]) == (429, "rate-limited")
        assert (refused["quota"], refused["limit"]) == ("account-streams", 600)
        assert 0 < refused["retry_after"] <= 60
        said = await socket.ask("message.send", session_id=session_id, content="hello")
        assert said["type"] == "ack"  # commands have a quota of their own
        await socket.until("message.submitted")  # and what was subscribed goes on


@pytest.mark.requirement("47")
async def test_answer_when_it_says_how_much_is_left_then_in_both_spellings(
    client: Client,
) -> None:
    person = await client.register()
    proof = {"Authorization": f"Bearer {person['access_token']}"}
    for path, method, body, status in (
        ("/v1/auth/me", "GET", None, 200),
        ("/v1/nowhere", "GET", None, 404),
        ("/v1/projects", "POST", {"no": "such member"}, 422),
        ("/v1/auth/me", "DELETE", None, 405),
        ("/v1/projects", "POST", {"name": "x" * 200_000}, 413),
    ):
        answer = await client.ask(path, method=method, json=body, **proof)
        assert answer.status == status, path
        told = answer.headers
        assert all(POLICY.fullmatch(part) for part in told["ratelimit-policy"].split(", "))
        assert all(FIELD.fullmatch(part) for part in told["ratelimit"].split(", "))
        assert int(told["x-ratelimit-remaining"]) < int(told["x-ratelimit-limit"])
        assert -5 < int(told["x-ratelimit-reset"]) - time.time() < 66
    unproven = await client.ask("/v1/auth/me")
    assert unproven.status == 401
    assert '"anonymous";q=100;w=60' in unproven.headers["ratelimit-policy"]


async def test_page_when_it_is_refused_then_it_may_read_why(client: Client) -> None:
    origin = {"Origin": "http://localhost:3000"}
    await statuses([client.ask() for _ in range(100)])
    refused = await client.ask(**origin)
    assert refused.status == 429
    assert refused.headers["access-control-allow-origin"] == origin["Origin"]
    assert "RateLimit" in refused.headers["access-control-expose-headers"]


async def test_address_when_many_accounts_share_it_then_ten_times_as_much_and_sockets_too() -> None:
    app = FastAPI(
        middleware=[
            Middleware(Edge),
            Middleware(
                Rates,
                exempt=frozenset(),
                public=re.compile("/none"),
                streams=re.compile("/none"),
                with_token=frozenset(),
                credentials=frozenset(),
            ),
        ]
    )
    install_error_handlers(app)
    policy = RatePolicy(requests=2, streams=1)
    app.state.services = Services({RateLimiter: RateLimiter(policy, MemoryCounters(60))})
    async with beside(app) as address, aiohttp.ClientSession() as http:

        async def claim(number: int) -> int:
            headers = {"Authorization": f"Bearer {number}"}
            async with http.get(address, headers=headers) as answer:
                return answer.status

        told = Counter(await asyncio.gather(*map(claim, range(25))))
        assert told == {404: 20, 429: 5}
        for number in range(12):  # a socket is refused before it is one
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(address)
            assert refused.value.status == (404 if number < 10 else 429)


@pytest.mark.requirement("F9")
async def test_limits_when_the_redis_is_lost_then_the_server_counts_for_itself(
    make_server: MakeServer, valkey: Valkey, http: aiohttp.ClientSession
) -> None:
    server = make_server(REDIS_URL=valkey.url, RATE_LIMIT_REQUESTS="10")

    async def shared() -> bool:
        async with http.get(f"{server.base_url}/readyz") as answer:
            return bool((await answer.json())["components"]["rate-limits"]["detail"]["shared"])

    async def told() -> Counter[int]:
        client = Client(http, server, "")
        return await statuses([client.ask() for _ in range(15)])

    assert await shared()
    # What waits long on a busy machine is counted by the server alone: ten there, and ten here.
    before = await told() + await told()
    assert before[200] >= 10
    assert before[429] >= 10
    valkey.kill()
    after = await told()
    assert after[200] <= 10  # its own count, and not no limit
    assert after[429] >= 5
    assert not await shared()
