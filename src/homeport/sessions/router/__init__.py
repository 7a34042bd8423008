"""The HTTP face of sessions' commands, by theme; `ROUTERS` is all of it."""

from fastapi import APIRouter

from homeport.sessions.router import approvals, forks, messages, runs, sessions, tools

ROUTERS: tuple[APIRouter, ...] = (
    sessions.router,
    forks.router,
    messages.router,
    runs.router,
    approvals.router,
    tools.router,
)

__all__ = ["ROUTERS"]
