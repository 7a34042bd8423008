"""docs/roles.md is true: every route, asked as everybody, answers what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from homeport.identity.roles import ROLES
from roles.stage import Reply, Stage

ROOT = Path(__file__).parents[2]
REFUSED = {
    "auth.required": "401",
    "auth.invalid-credential": "401",
    "auth.role-required": "403",
    "auth.scope-required": "403",
}
LAST = (
    "/v1/auth/devices/",
    "/v1/auth/api-keys/",
    "/v1/auth/passkeys/",
    "/v1/auth/signing-keys/",
    "/v1/sessions/{",
    "/v1/projects/{project_id}/",
    "/v1/projects/{",
)
"""What their owner deletes in the end, as other routes need it; in this order."""

MEMBERS = ("viewer", "developer", "owner")
LEVELS = {
    "read": {"viewer": "yes", "developer": "yes", "owner": "yes"},
    "write": {"viewer": "403", "developer": "yes", "owner": "yes"},
    "own": {"viewer": "403", "developer": "403", "owner": "yes"},
}

Row = Mapping[str, str]


def table() -> dict[str, Row]:
    """The routes of docs/roles.md, by `METHOD /path`."""
    text = (ROOT / "docs" / "roles.md").read_text(encoding="utf-8")
    lines = [line for line in text.partition("## Routes")[2].splitlines() if line[:1] == "|"]
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    head, _, *rows = cells
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def bodies(ids: Mapping[str, str]) -> dict[str, Any]:
    """What a route is sent when it must look at an object; else a body that changes nothing."""
    place = {name: ids[name] for name in ("session_id", "project_id") if ids[name]}
    chat = {"messages": [{"role": "user", "content": "think about tea"}]}
    return {
        "POST /v1/sessions": {"project_id": ids["project_id"]},
        "POST /v1/sessions/{session_id}/messages": {"content": "think about tea"},
        "POST /v1/sessions/{session_id}/tools": {
            "tool_name": "x",
            "tool_type": "custom",
            "input_params": {},
        },
        "POST /v1/approvals/{approval_id}": {"decision": "deny"},
        "PATCH /v1/auth/devices/{device_id}": {"signed_only": True},
        "POST /v1/stream-tickets": {"session_id": ids["session_id"]},
        "POST /v1/chat/completions": chat | place,
        "POST /v1/chat/completions/debug": chat | place,
    }


async def asked(stage: Stage, route: str, ids: Mapping[str, str], credential: str | None) -> str:
    """What became of a call: `yes`, `401`, `403` or `404`."""
    method, path = route.split(" ")
    body = None if method in {"GET", "HEAD", "WS"} else bodies(ids).get(route, {})
    return told(await stage.call(method, path.format_map(ids), body, as_=credential))


def told(reply: Reply) -> str:
    assert reply.status < 500, reply
    code = reply.code or ""
    if reply.status == 404 and code.endswith(".not-found"):
        return "404"
    return REFUSED.get(code, "yes")


async def principals(stage: Stage) -> list[tuple[str, str | None]]:
    """Columns of the table, each with a credential of somebody whom it is about."""
    found: list[tuple[str, str | None]] = [("anonymous", None)]
    for role in ROLES:
        person = await stage.register(role)
        await stage.change(person, roles=[role])
        found.append((role, await stage.key(person)))
    user = stage.people["user"]
    found.append(("key: no scope", await stage.key(user, scopes=[])))
    found.append(("key: api:read", await stage.key(user, scopes=["api:read"])))
    gone, signed_out = await stage.register("gone"), await stage.register("signed-out")
    await stage.change(gone, is_active=False)
    await stage.done("POST", "/v1/auth/logout", as_=signed_out.access)
    over = (gone.key, gone.access, signed_out.access, f"{user.key}x")
    return [*found, *(("disabled, revoked", credential) for credential in over)]


@pytest.mark.requirement("25")
async def test_matrix_when_compared_with_the_contract_then_every_route_is_in_it(
    stage: Stage,
) -> None:
    contract = (await stage.call("GET", "/openapi.json")).json
    published = {
        f"{method.upper()} {path}" for path, item in contract["paths"].items() for method in item
    }
    assert published <= set(table())
    recorded = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    assert recorded["paths"].keys() == contract["paths"].keys()


@pytest.mark.requirement("25")
async def test_matrix_when_everybody_asks_about_what_is_not_theirs_then_it_is_true(
    stage: Stage,
) -> None:
    ids = dict((await stage.settle(await stage.register("ada"))).ids)
    ids["user_id"] = (await stage.register("victim")).id
    wrong: list[str] = []
    for column, credential in await principals(stage):
        for route, row in table().items():
            says = row[column] if row[column] in {"yes", "401", "403"} else "404"
            answered = await asked(stage, route, ids, credential)
            if answered != says:
                wrong.append(f"{route} as {column}: {answered}, not {says}")
    assert wrong == []


@pytest.mark.requirement("25")
async def test_matrix_when_owners_ask_about_what_is_theirs_then_they_may(stage: Stage) -> None:
    ada = await stage.register("ada")
    ids, key = (await stage.settle(ada)).ids, await stage.key(ada)
    routes = [route for route, row in table().items() if row["user"] not in {"yes", "401", "403"}]
    assert len(routes) > 30
    answered = {route: await asked(stage, route, ids, key) for route in sorted(routes, key=_ends)}
    assert {route for route, said in answered.items() if said != "yes"} == set()


@pytest.mark.requirement("25")
async def test_matrix_when_members_ask_about_their_project_then_each_level_is_what_it_says(
    stage: Stage,
) -> None:
    ada, victim = await stage.register("ada"), await stage.register("victim")
    made = await stage.done("POST", "/v1/projects", {"name": "shared"}, as_=ada.access)
    ids = {"project_id": made["id"], "session_id": "", "user_id": victim.id}
    people = {role: await stage.register(role) for role in ("stranger", *MEMBERS)}
    rows = {
        route: row["user"].rpartition(" ")[2]
        for route, row in table().items()
        if "project:" in row["user"] and "{session_id}" not in route and "{run_id}" not in route
    }
    assert len(rows) >= 10
    wrong: list[str] = []
    for route, level in sorted(rows.items(), key=lambda row: _ends(row[0])):
        for role, says in {"stranger": "404", **LEVELS[level]}.items():
            for member in (*MEMBERS, "victim"):  # some leave, and the victim is taken out
                body = {
                    "user_id": stage.people[member].id,
                    "role": "viewer" if member == "victim" else member,
                }
                path = f"/v1/projects/{ids['project_id']}/members"
                await stage.done("PUT", path, body, as_=ada.access)
            answered = await asked(stage, route, ids, people[role].access)
            if answered != says:
                wrong.append(f"{route} as {role}: {answered}, not {says}")
    assert wrong == []


def _ends(route: str) -> int:
    """Deletions come last, what lies in a project before the project."""
    method, path = route.split(" ")
    place = next((n for n, each in enumerate(LAST) if path.startswith(each)), 0)
    return place + 1 if method == "DELETE" else 0
