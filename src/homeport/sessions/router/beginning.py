"""What a new session begins with: everything that takes files or other rooms, before its unit."""

from __future__ import annotations

import asyncio
from typing import Any

from homeport.eventlog import EventLog
from homeport.files.access import workspace_of
from homeport.files.checkpoints import is_git
from homeport.identity.access import Caller
from homeport.projects.access import project_for
from homeport.projects.places import Places
from homeport.projects.policy import Limits
from homeport.projects.service import personal_project, settings_of
from homeport.providers.models import Models
from homeport.sessions.router.changes import check_mode
from homeport.sessions.schemas import NewSession

UNNAMED = "New session"


async def start_of(
    body: NewSession,
    *,
    caller: Caller,
    log: EventLog,
    places: Places,
    models: Models,
    bounds: Limits,
) -> dict[str, Any]:
    """What `start` is told, apart from whose session it is.

    Raises:
        UnknownModel: Nobody serves the model.
        ModeNotAllowed: The operator does not offer the mode.
        ProjectNotFound: The project is absent, or not the caller's to work in.
        WorkspaceMissing: Its directory is gone.
    """
    model = body.model or models.default
    models.get(model)
    check_mode(body.permission_mode, bounds)
    if body.project_id is None:
        project = await personal_project(log, places, caller=caller)
    else:
        async with log.database.read() as session:
            project = await project_for(session, caller, body.project_id, "write")
    mode = body.permission_mode or settings_of(project).permission_mode
    if mode is None:
        # Edits need no question where every turn can be undone.
        undoable = await asyncio.to_thread(is_git, workspace_of(project))
        mode = "accept_edits" if undoable else "default"
    return {
        "project_id": project.id,
        "name": body.name or body.title or UNNAMED,
        "model": model,
        "permission_mode": mode,
        "system_prompt": body.system_prompt,
        "metadata": body.metadata,
    }
