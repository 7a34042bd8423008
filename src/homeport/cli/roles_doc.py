"""docs/roles.md: who may call what, the same bytes for the same code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from homeport.identity.roles import API_READ, PERMISSIONS, ROLES
from homeport.wiring.routes import DEVELOPMENT_ROUTERS, ROUTERS
from homeport.wiring.rules import Rule, rules_of

INTRODUCTION = """\
# Roles

Who may call what. Made from the routes themselves by `python scripts/generate.py`; a route that
says nothing about it stops the server before it serves, and a test asks every route as everybody
below.

What is not yours is not found (404), whatever your role: an admin sees accounts, and nobody's
conversations. What you see and may not do is 403 `auth.role-required`, whose `needs` says what it
takes; a key that lacks the scope is told `auth.scope-required`. A credential that is disabled,
revoked or expired is 401 everywhere but on public routes, within 5 seconds, on open streams too."""

PROJECTS = """\
## In a project

A route about a project says what it takes there:

| level | viewer | developer | owner | stranger | |
|---|---|---|---|---|---|
| `read` | yes | yes | yes | 404 | looks |
| `write` | 403 | yes | yes | 404 | changes files, runs the agent |
| `own` | 403 | 403 | yes | 404 | changes, shares and deletes the project |

Whoever made a project is its owner for as long as it is there. A session is its person's alone,
also in a shared project; when the project is closed to them it stays readable, what runs in it is
stopped, and a message to it is 409 `project.closed`.

Sessions, runs, approvals, devices and keys are their person's alone: `own` below."""

ROUTES = """\
## Routes

`yes`: also what is not about anything of yours. `own`: about yours alone. `project: <level>`: about
a project in which you have that level."""

CREDENTIALS: Final[Mapping[str, frozenset[str]]] = {
    "key: no scope": frozenset(),
    "key: api:read": frozenset({API_READ}),
}
"""Columns of keys of an ordinary user, by their scopes."""


def document() -> str:
    """The whole of docs/roles.md."""
    rules = rules_of((*ROUTERS, *DEVELOPMENT_ROUTERS))
    return "\n\n".join([INTRODUCTION, _permissions(), PROJECTS, ROUTES, _routes(rules)]) + "\n"


def _permissions() -> str:
    rows = [
        [f"`{permission}`", *("yes" if permission in held else "" for held in ROLES.values())]
        for permission in sorted(PERMISSIONS)
    ]
    return "## What a role holds\n\n" + _table(["permission", *ROLES], rows)


def _routes(rules: list[Rule]) -> str:
    users = ROLES["user"]
    holders = {**ROLES, **{name: users & scopes for name, scopes in CREDENTIALS.items()}}
    rows = [
        [
            f"`{rule.name}`",
            f"`{rule.permission}`" if rule.permission else "",
            "yes" if rule.permission is None else "401",
            *(_cell(rule, held) for held in holders.values()),
            "yes" if rule.permission is None else "401",
        ]
        for rule in rules
    ]
    return _table(["route", "needs", "anonymous", *holders, "disabled, revoked"], rows)


def _cell(rule: Rule, held: frozenset[str]) -> str:
    if rule.permission is not None and rule.permission not in held:
        return "403"
    words = ["own"] if rule.own else []
    words += [] if rule.level is None else [f"project: {rule.level}"]
    return ", ".join(words) or "yes"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
