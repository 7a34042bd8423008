"""A stranger with somebody's ids: nothing is told, nothing is changed, nothing is found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from homeport.identity.roles import USER, permissions_of
from homeport.wiring.routes import ROUTERS
from homeport.wiring.rules import rules_of
from roles.belongings import rows_about
from roles.stage import Belongings, Person, Reply, Stage
from support.server import Server

OBJECTS = (
    "session_id",
    "run_id",
    "approval_id",
    "device_id",
    "key_id",
    "passkey_id",
    "signing_key_id",
    "project_id",
    "user_id",
    "invitation_id",
)
FREE = frozenset({"client_message_id", "client_id", "request_id"})
"""Members that are named like ids and name nothing that is kept for anybody."""
MANAGED = ("/v1/auth/users", "/v1/auth/invitations")
"""What those who manage accounts ask for: it is nobody's own."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Two:
    """ada, who owns what is asked for, and bob, who asks."""

    stage: Stage
    ada: Person
    bob: Person
    hers: Belongings
    his: Belongings
    contract: Json
    server: Server

    @property
    def about_her(self) -> set[str]:
        """Every row that names something of ada's."""
        ids = [self.hers.ids[name] for name in (*OBJECTS, "asking_session_id")]
        return rows_about(self.server.data_dir / "homeport.db", [*ids, self.hers.canary])

    def leaked(self, reply: Reply) -> bool:
        return self.hers.canary in reply.text


@pytest.fixture
async def two(stage: Stage, crowded: Server) -> Two:
    ada, bob = await stage.register("ada"), await stage.register("bob")
    hers, his = await stage.settle(ada), await stage.settle(bob)
    contract = (await stage.call("GET", "/openapi.json")).json
    return Two(stage, ada, bob, hers, his, contract, crowded)


def operations(contract: Json) -> Iterator[tuple[str, str, Json]]:
    """(method, path, operation) of every published route."""
    for path, item in contract["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def members(contract: Json, operation: Json) -> dict[str, Json]:
    """The members of an operation's JSON body."""
    content = operation.get("requestBody", {}).get("content", {})
    schemas = [content.get("application/json", {}).get("schema", {})]
    found: dict[str, Json] = {}
    while schemas:
        schema = schemas.pop()
        if "$ref" in schema:
            schema = contract["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        schemas += [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]
        found |= schema.get("properties", {})
    return found


def sample(path: str) -> Json:
    """A body that gets as far as the object it is about."""
    if path.endswith("/messages"):
        return {"content": "think about tea"}
    if path.startswith("/v1/chat/completions"):
        return {"messages": [{"role": "user", "content": "think about tea"}]}
    if path.endswith("/tools"):
        return {"tool_name": "x", "tool_type": "custom", "input_params": {}}
    if path.startswith("/v1/approvals/"):
        return {"decision": "approve"}
    if path.endswith("/members"):
        return {"role": "owner", "username": "nobody"}
    if path == "/v1/auth/devices/{device_id}":
        return {"signed_only": True}
    return {}


@pytest.mark.requirement("26")
@pytest.mark.requirement("CVE-15", "CVE-16")
async def test_stranger_when_swapping_each_id_in_every_route_then_not_found_and_nothing_happens(
    two: Two,
) -> None:
    before, wrong, asked = two.about_her, list[str](), 0
    for method, path, operation in operations(two.contract):
        named = [each["name"] for each in operation.get("parameters", [])]
        body = None if method == "GET" else sample(path)
        for name in (name for name in named if name.endswith("_id") and f"{{{name}}}" in path):
            if name == "model_id":
                continue
            ids = {**two.his.ids, name: two.hers.ids[name]}
            reply = await two.stage.call(method, path.format_map(ids), body, as_=two.bob.access)
            asked += 1
            found = reply.status != (403 if path.startswith(MANAGED) else 404)
            if path.endswith("/members/{user_id}") and name == "user_id":
                found = reply.code != "member.not-found"
            if found or two.leaked(reply):
                wrong.append(f"{method} {path} with {name}: {reply.status} {reply.code}")
        for name, places in (("query", named), ("body", members(two.contract, operation))):
            for member in (each for each in places if each.endswith("_id")):
                if member in FREE or f"{{{member}}}" in path:
                    continue
                assert member in OBJECTS, f"{method} {path}: what is {member}? teach this test"
                foreign = two.hers.ids[member]
                where = path.format_map(two.his.ids)
                where += f"?{member}={foreign}" if name == "query" else ""
                sent = {**(body or {}), member: foreign} if name == "body" else body
                if name == "body" and path.endswith("/members"):
                    continue  # whom one invites is no object of theirs; see below
                reply = await two.stage.call(method, where, sent, as_=two.bob.access)
                asked += 1
                empty = method == "GET" and reply.status == 200 and reply.json["total"] == 0
                if two.leaked(reply) or not (reply.status == 404 or empty):
                    wrong.append(f"{method} {path}, {name} {member}: {reply.status} {reply.code}")
    assert wrong == []
    assert asked > 40
    assert two.about_her == before


@pytest.mark.requirement("26")
async def test_stranger_when_using_cursors_keys_tokens_and_tickets_then_they_are_nobodys(
    two: Two,
) -> None:
    stage, bob, before = two.stage, two.bob.access, two.about_her
    seen: list[Reply] = []

    async def ask(method: str, path: str, body: object = None, **headers: str) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        seen.append(await stage.call(method, path, body, as_=bob, headers=sent))
        return seen[-1]

    # Not of lists of everybody's: she is refused them, which her own trail would tell.
    closed = {rule.name for rule in rules_of(ROUTERS)} - {
        rule.name for rule in rules_of(ROUTERS) if rule.permission in permissions_of([USER])
    }
    for method, path, operation in operations(two.contract):
        named = [each["name"] for each in operation.get("parameters", [])]
        if method == "GET" and "cursor" in named and f"GET {path}" not in closed:
            hers = path.format_map(two.hers.ids)
            page = await stage.call("GET", f"{hers}?limit=1", as_=two.ada.access)
            cursor = page.json["next_cursor"]
            if cursor is not None:
                await ask("GET", f"{path.format_map(two.his.ids)}?cursor={cursor}")
    search = await ask("GET", f"/v1/sessions?search={two.hers.canary}")
    assert search.json["total"] == 0
    hers, his = two.hers.ids["session_id"], two.his.ids["session_id"]
    chat = sample("/v1/chat/completions")
    resumed = await ask("POST", "/v1/chat/completions", chat, Last_Event_ID=f"{hers}/1")
    assert resumed.status == 404
    again = await ask("POST", "/v1/sessions", {}, Idempotency_Key=two.hers.key)
    assert again.json["id"] != hers
    assert (await ask("POST", f"/v1/sessions/{his}/fork", {"at": "3"})).status == 201
    told = await ask("POST", "/v1/auth/verify-token", {"token": two.ada.access})
    assert told.json == {"valid": False}
    ended = await stage.call(
        "POST", "/v1/auth/logout", {"refresh_token": two.ada.refresh}, as_=await stage.key(two.bob)
    )
    assert ended.status == 200
    wrong = await stage.call("GET", f"/v1/sessions/{his}/stream?ticket={two.hers.ticket}")
    assert (wrong.status, wrong.code) == (401, "auth.ticket-refused")
    assert [reply for reply in seen if two.leaked(reply) or reply.status >= 500] == []
    assert two.about_her == before
    assert (await stage.call("GET", "/v1/auth/me", as_=two.ada.access)).status == 200


@pytest.mark.requirement("26")
@pytest.mark.requirement("CVE-14", "CVE-16")
async def test_stranger_when_commanding_over_a_socket_then_not_found_and_nothing_happens(
    two: Two,
) -> None:
    before, ids = two.about_her, two.hers.ids
    commands: list[Json] = [
        {"type": "subscribe", "session_id": ids["session_id"], "after": "0"},
        {"type": "unsubscribe", "session_id": ids["session_id"]},
        {"type": "message.send", "session_id": ids["session_id"], "content": "mine now"},
        {"type": "run.stop", "run_id": ids["run_id"]},
        {"type": "approval.decide", "approval_id": ids["approval_id"], "decision": "approve"},
    ]
    headers = {"Authorization": f"Bearer {two.bob.access}"}
    url = f"{two.stage.base_url}/v1/ws"
    async with two.stage.http.ws_connect(url, headers=headers) as socket, asyncio.timeout(20):
        for command in commands:
            await socket.send_json({**command, "id": command["type"]})
            text = await socket.receive_str()
            assert two.hers.canary not in text
            answer = json.loads(text)
            assert (answer["type"], answer["id"]) == ("error", command["type"])
            assert answer["status"] == 404, answer
    path = f"/v1/sessions/{ids['session_id']}/ws?after=0"
    assert (await two.stage.call("WS", path, as_=two.bob.access)).status == 404
    assert two.about_her == before


FORBIDDEN: Mapping[str, object] = {
    "role": "admin",
    "roles": ["admin"],
    "is_admin": True,
    "is_superuser": True,
    "user_id": str(uuid4()),
    "tenant_id": str(uuid4()),
    "credits": 1_000_000,
    "created_at": "2020-01-01T00:00:00Z",
    "id": str(uuid4()),
    "is_active": True,
}


@pytest.mark.requirement("27")
async def test_bodies_when_members_are_injected_then_refused_or_without_effect(two: Two) -> None:
    stage, bob = two.stage, two.bob.access
    account = await stage.done("GET", "/v1/auth/me", as_=bob)
    session = f"/v1/sessions/{two.his.ids['session_id']}"
    wrong, asked = list[str](), 0
    for method, path, operation in operations(two.contract):
        declared = members(two.contract, operation)
        if "application/json" not in operation.get("requestBody", {}).get("content", {}):
            continue
        for name, value in FORBIDDEN.items():
            if name in declared:
                continue
            asked += 1
            body = {**sample(path), name: value}
            reply = await stage.call(method, path.format_map(two.his.ids), body, as_=bob)
            if path == "/v1/chat/completions/debug":
                assert name in reply.json["ignored"]
            elif path != "/v1/chat/completions" and not _refused(reply, name):
                wrong.append(f"{method} {path} takes {name}: {reply.status} {reply.text[:200]}")
    assert wrong == []
    assert asked > 200
    assert await stage.done("GET", "/v1/auth/me", as_=bob) == account
    assert (await stage.done("GET", session, as_=bob))["user_id"] == two.bob.id


def _refused(reply: Reply, name: str) -> bool:
    """Whether it is 422 for that member, or 403: a role that bob does not have comes first."""
    if reply.status != 422:
        return reply.code == "auth.role-required"
    faults = reply.json["error"]["details"]
    return any(each["loc"][-1] == name and each["type"] == "extra_forbidden" for each in faults)
