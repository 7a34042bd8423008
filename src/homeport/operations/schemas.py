"""What the health routes answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """The legacy health document; clients read `ok` first."""

    ok: bool
    status: Literal["healthy", "draining"]
    version: str
    timestamp: float = Field(description="Seconds since 1970")
    active_sessions: int
    uptime_seconds: int


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ComponentState(BaseModel):
    """One component."""

    ok: bool
    detail: dict[str, Any] = Field(description="What it is; empty in production")


class Ready(BaseModel):
    """Every component works."""

    status: Literal["ready"] = "ready"
    components: dict[str, ComponentState]
