"""What a person may be in a project, and what each may do there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

Level = Literal["read", "write", "own"]
"""`read` looks, `write` changes files and runs the agent, `own` changes and shares the project."""
Role = Literal["viewer", "developer", "owner"]

ROLES: Final[tuple[Role, ...]] = ("viewer", "developer", "owner")
OWNER: Final[Role] = "owner"
ALLOWED: Final[Mapping[Level, tuple[Role, ...]]] = MappingProxyType(
    {"read": ROLES, "write": ROLES[1:], "own": ROLES[2:]}
)
"""The roles to which a level is open, the least one first."""
