"""Who may call what: one rule per route, read off what the route itself asks for.

The permission comes from the route's dependency (`SignedIn`, `needs`, `Following`), the level in a
project from `Entering`, whose object it is from the names in the path. What cannot be read off a
route stands in the tables here. A route without a rule stops the program before it serves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute

from homeport.identity.access import identified
from homeport.identity.asking import asked_by
from homeport.projects.access import Entering
from homeport.projects.roles import Level

PUBLIC: Final = frozenset(
    {
        "GET /health",
        "GET /livez",
        "HEAD /livez",
        "GET /readyz",
        "HEAD /readyz",
        "GET /openapi.json",
        "GET /docs",
        "GET /redoc",
        "GET /docs/{name}",
        "GET /.well-known/jwks.json",
        "GET /setup",  # the one-time link, on the server's own machine
        "POST /setup",
        "POST /v1/auth/register",
        "POST /v1/auth/login",
        "POST /v1/auth/refresh",  # the token is the proof
        "GET /v1/auth/csrf",
        "POST /v1/auth/mfa/verify",  # so is the token of half a sign-in, with a code
        "POST /v1/auth/device/authorize",  # a device that nobody knows yet
        "POST /v1/auth/device/token",  # its code is the proof
        "GET /pair",
        "POST /v1/auth/passkeys/login/options",
        "POST /v1/auth/passkeys/login/verify",  # the signature is the proof
    }
)
"""What answers without a caller."""
PUBLIC_PATHS: Final = re.compile(
    "|".join(sorted({re.sub(r"{\w+}", "[^/]+", name.partition(" ")[2]) for name in PUBLIC}))
)
"""Their paths. No path is public with one method and asks for a caller with another."""

OWN: Final = frozenset(
    {
        "session_id",
        "run_id",
        "approval_id",
        "device_id",
        "key_id",
        "passkey_id",
        "signing_key_id",
    }
)
"""Names in a path whose object is seen by the person alone whose it is, whatever their role."""
ANYBODYS: Final = frozenset({"user_id", "invitation_id", "model_id", "seq", "name"})
"""Names in a path that the permission alone decides about, or that lie within another object."""
IN_A_PROJECT: Final[dict[str, Level]] = {
    "POST /v1/sessions": "write",
    "POST /v1/sessions/{session_id}/fork": "write",
    "POST /v1/sessions/{session_id}/messages": "write",
    "POST /v1/runs/{run_id}/retry": "write",
    "POST /v1/runs/{run_id}/undo": "write",
    "POST /v1/chat/completions": "write",
    "POST /v1/chat/completions/debug": "write",
}
"""Routes whose project comes in the body, or with the session that they work in."""
IN_A_BODY: Final = frozenset(
    {"POST /v1/stream-tickets", "POST /v1/chat/completions", "POST /v1/chat/completions/debug"}
)
"""Routes whose body may name a session, which is its person's alone."""
_NAMES = re.compile(r"{(\w+)(?::\w+)?}")


class UndeclaredRoute(Exception):
    """A route says nothing about who may call it: a mistake in the program."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call one route.

    Attributes:
        method: `GET`..., or `WS`.
        permission: What the caller needs; None: nobody needs to be known.
        own: It is about an object that its person alone sees.
        level: What the caller must be allowed in the project that it is about; None: in none.
        published: It stands in the OpenAPI document.
    """

    method: str
    path: str
    permission: str | None
    own: bool
    level: Level | None
    published: bool

    @property
    def name(self) -> str:
        """`GET /v1/projects`."""
        return f"{self.method} {self.path}"


def rules_of(routers: Iterable[APIRouter]) -> list[Rule]:
    """The rule of every route, in the order of paths.

    Raises:
        UndeclaredRoute: One of them has none.
    """
    rules = [rule for router in routers for route in router.routes for rule in _rules(route)]
    return sorted(rules, key=lambda rule: (rule.path, rule.method))


def _rules(route: object) -> Iterator[Rule]:
    if isinstance(route, APIRoute):
        for method in sorted(route.methods or ()):
            yield _rule(method, route, published=route.include_in_schema)
    elif isinstance(route, APIWebSocketRoute):
        yield _rule("WS", route, published=False)
    else:
        raise UndeclaredRoute(f"{route!r} is no route whose rule can be read off.")


def _rule(method: str, route: APIRoute | APIWebSocketRoute, *, published: bool) -> Rule:
    name = f"{method} {route.path}"
    asked, levels, is_known = set[str](), set[Level](), False
    for each in _all(route.dependant):
        permission = asked_by(each.call, method)
        asked |= set() if permission is None else {permission}
        is_known = is_known or each.call is identified
        if isinstance(each.call, Entering):
            levels.add(each.call.level)
    if len(asked) != (name not in PUBLIC) or (is_known and not asked):
        raise UndeclaredRoute(
            f"{name} asks for {sorted(asked) or 'no permission'}: take SignedIn or needs(...), or "
            "name it in PUBLIC."
        )
    names = set(_NAMES.findall(route.path))
    if stray := names - OWN - ANYBODYS - {"project_id"}:
        raise UndeclaredRoute(f"{name}: whose is {sorted(stray)}?")
    if name in IN_A_PROJECT:
        levels.add(IN_A_PROJECT[name])
    if len(levels) != 1 and ("project_id" in names or levels):
        raise UndeclaredRoute(f"{name}: what must one be allowed in its project?")
    return Rule(
        method=method,
        path=route.path,
        permission=next(iter(asked), None),
        own=bool(names & OWN) or name in IN_A_BODY,
        level=next(iter(levels), None),
        published=published,
    )


def _all(dependant: Dependant) -> Iterator[Dependant]:
    for each in dependant.dependencies:
        yield each
        yield from _all(each)
