"""No route that is not written down, no method that is not declared, no second admin."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from uuid import uuid4

import orjson
import pytest

from homeport.app import create_app
from homeport.settings import Settings
from homeport.wiring.routes import DEVELOPMENT_ROUTERS, ROUTERS
from homeport.wiring.rules import rules_of
from roles.stage import PASSWORD, Stage
from support.server import MakeServer

UNPUBLISHED = {
    "GET /docs",
    "GET /docs/{name}",
    "GET /openapi.json",
    "GET /redoc",
    "HEAD /livez",
    "HEAD /readyz",
    "POST /v1/user/profile",  # what old clients send for PUT
    "PUT /v1/sessions/{session_id}",  # what old clients send for PATCH
    "WS /v1/sessions/{session_id}/ws",  # OpenAPI has no word for a WebSocket
    "WS /v1/ws",
}
"""All that is served and does not stand in the contract."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
NAMES = re.compile(r"{\w+}")
DISGUISES = (
    None,
    "text/plain",
    "text/json",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "application/xml",
)
"""What a JSON body is not, and what pages send without asking."""
SIGN_OUT = "/v1/auth/logout"
"""Acts without a body too, whatever comes with it."""
GOOD: dict[str, Any] = {
    "POST /v1/projects": {"name": "disguised"},
    "POST /v1/sessions": {"name": "disguised"},
    "PATCH /v1/sessions/{session_id}": {"name": "disguised"},
    "POST /v1/sessions/{session_id}/messages": {"content": "think about tea"},
    "POST /v1/auth/api-keys": {"name": "disguised"},
    "POST /v1/chat/completions": {"messages": [{"role": "user", "content": "think about tea"}]},
}


@pytest.mark.requirement("29")
def test_routes_when_compared_with_the_contract_then_only_these_are_unpublished() -> None:
    app = create_app(Settings.model_construct())
    contract = app.openapi()
    published = {
        f"{method.upper()} {path}" for path, item in contract["paths"].items() for method in item
    }
    routers = (*ROUTERS, *DEVELOPMENT_ROUTERS)
    served = {rule.name for rule in rules_of(routers)}
    assert served - published == UNPUBLISHED
    assert published <= served
    routes = [route for router in routers for route in router.routes]
    assert app.routes == routes  # nothing is served beside the routers


@pytest.mark.requirement("37")
async def test_methods_when_not_declared_then_405_which_names_those_that_are(stage: Stage) -> None:
    declared = [rule for rule in rules_of((*ROUTERS, *DEVELOPMENT_ROUTERS)) if rule.method != "WS"]
    wrong: list[str] = []
    for template in sorted({rule.path for rule in declared}):
        path = NAMES.sub(str(uuid4()), template)
        fitting = {
            rule.method
            for rule in declared
            if re.fullmatch(NAMES.sub("[^/]+", rule.path.replace(".", "[.]")), path)
        }
        for method in set(METHODS) - fitting:
            reply = await stage.call(method, path, as_=stage.admin_key)
            if reply.status != 405 or (
                method != "HEAD" and reply.code != "request.method-not-allowed"
            ):
                wrong.append(f"{method} {template}: {reply.status} {reply.code}")
    assert wrong == []


@pytest.mark.requirement("CVE-30")
async def test_bodies_when_they_come_as_what_they_are_not_then_nothing_is_done(
    stage: Stage,
) -> None:
    ada = await stage.register("ada")
    session = await stage.done("POST", "/v1/sessions", {}, as_=ada.key)
    ids = {"session_id": session["id"]}
    contract = (await stage.call("GET", "/openapi.json")).json
    taken: list[str] = []
    asked = 0
    for path, item in contract["paths"].items():
        url = NAMES.sub(lambda name: ids.get(name[0].strip("{}"), str(uuid4())), path)
        for method, operation in item.items():
            if "requestBody" not in operation or path == SIGN_OUT:
                continue
            fitting = set(operation["requestBody"]["content"])
            for kind in DISGUISES:
                if kind is not None and kind.partition(";")[0] in fitting:
                    continue
                asked += 1
                route = f"{method.upper()} {path}"
                data = orjson.dumps(GOOD.get(route, {}))
                headers = {"Authorization": f"Bearer {ada.key}"}
                headers |= {} if kind is None else {"Content-Type": kind}
                async with stage.http.request(
                    method,
                    stage.base_url + url,
                    data=data,
                    headers=headers,
                    skip_auto_headers=("Content-Type",),
                ) as answer:
                    if not 400 <= answer.status < 500:
                        taken.append(f"{route} as {kind}: {answer.status} {await answer.text()}")
    assert taken == []
    assert asked > 100
    for route, body in GOOD.items():  # the same bodies are good ones
        method, path = route.split(" ")
        reply = await stage.call(method, path.format_map(ids), body, as_=ada.key)
        assert reply.status < 300, (route, reply)


@pytest.mark.requirement("25")
@pytest.mark.parametrize("people", [10, pytest.param(100, marks=pytest.mark.faults)])
@pytest.mark.requirement("CVE-17")
async def test_first_registrations_when_many_come_at_once_then_none_is_an_admin(
    make_server: MakeServer, stage: Stage, people: int
) -> None:
    server = make_server(RATE_LIMIT_ENABLED="false")
    fresh = Stage(server.base_url, stage.http, server.admin_key)

    async def register(number: int) -> int:
        body = {"email": f"n{number}@example.com", "username": f"n{number}", "password": PASSWORD}
        reply = await fresh.call("POST", "/v1/auth/register", body)
        assert reply.status in {201, 503}, reply
        if reply.status == 201:
            assert reply.json["user"]["roles"] == ["user"]
        return reply.status

    statuses = await asyncio.gather(*(register(number) for number in range(people)))
    made = statuses.count(201)
    assert made > 0
    found = await fresh.done("GET", "/v1/auth/users?limit=1000", as_=fresh.admin_key)
    assert found["total"] == made + 1
    admins = [user for user in found["users"] if "admin" in user["roles"]]
    assert [user["username"] for user in admins] == ["admin"]
