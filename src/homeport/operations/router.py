"""Health for load balancers, old clients and people."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter

from homeport.kernel.http.provide import provided
from homeport.operations.errors import NotReady
from homeport.operations.schemas import Alive, ComponentState, Health, Ready
from homeport.operations.state import Operations

router = APIRouter(tags=["operations"])

State = Annotated[Operations, provided(Operations)]


@router.get("/health")
async def health(state: State) -> Health:
    """The summary that old clients read."""
    return Health(
        ok=not state.draining.begun,
        status="draining" if state.draining.begun else "healthy",
        version=state.version,
        timestamp=time.time(),
        active_sessions=await state.active_sessions(),
        uptime_seconds=state.uptime_seconds,
    )


@router.head("/livez", include_in_schema=False)
@router.get("/livez")
async def livez() -> Alive:
    """Answers as long as the process can; a restart helps when it does not."""
    return Alive()


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
async def readyz(state: State) -> Ready:
    """Whether to send work here, component by component; 503 when not, with the same members."""
    findings = await state.findings()
    components = {
        name: ComponentState(ok=finding.ok, detail=dict(finding.detail))
        for name, finding in findings.items()
    }
    failed = [name for name, finding in findings.items() if not finding.ok]
    if failed or state.draining.begun:
        detail = f"Failing: {', '.join(failed)}." if failed else "The server is about to end."
        shown = {name: state.model_dump() for name, state in components.items()}
        raise NotReady(detail, retry_after=5, components=shown)
    return Ready(components=components)
