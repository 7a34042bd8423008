"""Every route that the server has, by room."""

from __future__ import annotations

from fastapi import APIRouter

from homeport.gateway.openai import router as openai
from homeport.identity.router import ROUTERS as IDENTITY
from homeport.operations import docs
from homeport.operations import router as operations
from homeport.projects import router as projects
from homeport.projects.members.router import router as members
from homeport.providers import router as providers
from homeport.readers.audit import router as audit
from homeport.readers.history import router as history
from homeport.readers.stream import router as stream
from homeport.readers.stream.websocket import router as sockets
from homeport.readers.tickets import router as tickets
from homeport.runs import router as runs
from homeport.sessions.router import ROUTERS as SESSIONS

ROUTERS: tuple[APIRouter, ...] = (
    operations.router,
    *IDENTITY,
    projects.router,
    members,
    # History before sessions: `/v1/sessions/stats` is no session's id.
    history,
    *SESSIONS,
    stream.router,
    sockets,
    tickets,
    audit,
    runs.router,
    providers.router,
    openai.router,
)
"""Every route that the contract publishes."""

DEVELOPMENT_ROUTERS: tuple[APIRouter, ...] = (docs.router,)
"""Pages that production does not show: there, the contract is a file of the release."""
