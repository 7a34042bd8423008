"""A route that says nothing about who may call it cannot be served."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends
from starlette.routing import Route

from homeport.identity.access import Caller, SignedIn, identified, needs
from homeport.identity.roles import USERS_READ
from homeport.projects.access import Owned, Seen
from homeport.wiring.routes import ROUTERS
from homeport.wiring.rules import PUBLIC, PUBLIC_PATHS, UndeclaredRoute, rules_of

Anybody = Annotated[Caller, Depends(identified)]
Overseer = Annotated[Caller, needs(USERS_READ)]


async def nobody() -> None: ...
async def anybody(caller: Anybody) -> None: ...
async def signed_in(caller: SignedIn) -> None: ...
async def in_a_project(caller: SignedIn, project: Seen) -> None: ...
async def undecided(project: Seen, other: Owned) -> None: ...
async def overseer_of_it(caller: Overseer, again: SignedIn) -> None: ...


@pytest.mark.requirement("25")
@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/things", nobody),  # forgot its caller
        ("/v1/things", anybody),  # knows its caller, asks for no permission
        ("/v1/things", overseer_of_it),  # asks for two
        ("/v1/things/{thing_id}", signed_in),  # whose thing?
        ("/v1/projects/{project_id}", signed_in),  # looks the project up by itself
        ("/v1/projects/{project_id}", undecided),
        ("/health", signed_in),  # listed as public, and is not
    ],
)
def test_rules_when_a_route_does_not_say_who_may_call_it_then_it_is_refused(
    path: str, endpoint: object
) -> None:
    router = APIRouter()
    router.add_api_route(path, endpoint)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UndeclaredRoute):
        rules_of([router])


def test_rules_when_a_route_is_of_another_kind_then_it_is_refused() -> None:
    router = APIRouter()
    router.routes.append(Route("/v1/things", nobody))
    with pytest.raises(UndeclaredRoute):
        rules_of([router])


def test_rules_when_a_route_says_it_then_they_are_read_off() -> None:
    router = APIRouter()
    router.add_api_route("/v1/projects/{project_id}", in_a_project)
    router.add_api_route("/v1/sessions/{session_id}", signed_in, methods=["DELETE"])
    project, session = rules_of([router])
    assert (project.name, project.permission, project.own, project.level) == (
        "GET /v1/projects/{project_id}",
        "api:read",
        False,
        "read",
    )
    assert (session.permission, session.own, session.level) == ("api:write", True, None)


def test_public_paths_then_they_are_those_of_public_routes_alone() -> None:
    for rule in rules_of(ROUTERS):
        is_public = PUBLIC_PATHS.fullmatch(rule.path) is not None
        assert is_public == (rule.name in PUBLIC), rule.name
