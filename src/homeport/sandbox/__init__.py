"""Runs a command in a box; knows no domain."""

from __future__ import annotations

from homeport.sandbox.environment import loads_code
from homeport.sandbox.errors import (
    CommandRefused,
    SandboxFailed,
    SandboxUnavailable,
    WorkspaceMissing,
)
from homeport.sandbox.host import Host
from homeport.sandbox.opening import open_sandbox
from homeport.sandbox.port import Command, Limits, Outcome, Rung, Sandbox
from homeport.sandbox.protected import NAMES as PROTECTED_NAMES

__all__ = [
    "PROTECTED_NAMES",
    "Command",
    "CommandRefused",
    "Host",
    "Limits",
    "Outcome",
    "Rung",
    "Sandbox",
    "SandboxFailed",
    "SandboxUnavailable",
    "WorkspaceMissing",
    "loads_code",
    "open_sandbox",
]
