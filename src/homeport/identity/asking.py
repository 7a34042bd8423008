"""Which permission a dependency asks for, so that the matrix of routes is read off the routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from homeport.identity.roles import API_READ, API_WRITE

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_fixed: dict[Callable[..., Any], str | None] = {}


def asking(dependency: Callable[..., Any], permission: str | None) -> None:
    """Notes that `dependency` refuses callers without `permission`.

    Args:
        dependency: What FastAPI calls.
        permission: None: what the method asks for, `ordinary(method)`.
    """
    _fixed[dependency] = permission


def asked_by(dependency: Callable[..., Any] | None, method: str) -> str | None:
    """The permission that `dependency` asks for on `method`; None when it asks for none."""
    if dependency is None or dependency not in _fixed:
        return None
    return _fixed[dependency] or ordinary(method)


def ordinary(method: str) -> str:
    """Safe methods read and the others write; a WebSocket, which has none, writes."""
    return API_READ if method in SAFE_METHODS else API_WRITE
