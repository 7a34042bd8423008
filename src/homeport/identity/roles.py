"""Roles are named sets of permissions, in code: nothing to misconfigure, one notion of admin.

A permission is `noun:verb`. An API key's scopes are permissions too: a key may do what its owner's
roles and its own scopes both allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

API_READ: Final = "api:read"  # what GET and HEAD ask for
API_WRITE: Final = "api:write"  # what every other method asks for
ACCOUNT_MANAGE: Final = "account:manage"  # one's own password, devices and keys
ANALYTICS_READ: Final = "analytics:read"  # figures over all accounts
AUDIT_READ: Final = "audit:read"
CONTENT_MODERATE: Final = "content:moderate"
DIAGNOSTICS_READ: Final = "diagnostics:read"
SERVER_MANAGE: Final = "server:manage"  # keys, tool servers, policies
USERS_MANAGE: Final = "users:manage"
USERS_READ: Final = "users:read"

_EVERYONE = frozenset({API_READ, API_WRITE, ACCOUNT_MANAGE})

PERMISSIONS: Final = _EVERYONE | {
    ANALYTICS_READ,
    AUDIT_READ,
    CONTENT_MODERATE,
    DIAGNOSTICS_READ,
    SERVER_MANAGE,
    USERS_MANAGE,
    USERS_READ,
}

USER: Final = "user"
ADMIN: Final = "admin"

ROLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        USER: _EVERYONE,
        "developer": _EVERYONE | {DIAGNOSTICS_READ},
        "analyst": _EVERYONE | {ANALYTICS_READ},
        "moderator": _EVERYONE | {AUDIT_READ, CONTENT_MODERATE, USERS_READ},
        ADMIN: PERMISSIONS,
    }
)


def permissions_of(roles: Iterable[str]) -> frozenset[str]:
    """Everything that holders of `roles` may do; a role unknown to the code grants nothing."""
    granted: frozenset[str] = frozenset()
    for role in roles:
        granted |= ROLES.get(role, frozenset())
    return granted


def roles_with(permission: str) -> list[str]:
    """The roles that hold `permission`, for the person who has to ask for one."""
    return [role for role, granted in ROLES.items() if permission in granted]
