"""From the body of a change to the verbs of a session."""

from __future__ import annotations

from typing import Any

from homeport.eventlog import Unit
from homeport.kernel.http.choice import NotAChoice
from homeport.projects.policy import Limits
from homeport.providers.models import Models
from homeport.sessions.errors import ModeNotAllowed
from homeport.sessions.models import SessionRow
from homeport.sessions.schemas import SessionChange
from homeport.sessions.service.start import archive, change


def check_mode(mode: str | None, bounds: Limits) -> None:
    """Passes a permission mode that the operator offers.

    Raises:
        ModeNotAllowed: It is `bypass`, and the operator does not.
    """
    if mode == "bypass" and not bounds.bypass:
        detail = "bypass runs everything without asking; the operator of this server must allow it."
        raise ModeNotAllowed(detail, param="permission_mode")


def checked(body: SessionChange, *, models: Models, bounds: Limits) -> None:
    """Passes a change that may be made.

    Raises:
        UnknownModel: Nobody serves the model.
        ModeNotAllowed: The operator does not offer the mode.
        NotAChoice: The status is one that follows from runs, and cannot be set.
    """
    if body.model is not None:
        models.get(body.model)
    check_mode(body.permission_mode, bounds)
    if body.status in ("streaming", "error"):
        raise NotAChoice("A status is set to active, idle or archived.", param="status")


async def apply_changes(unit: Unit, row: SessionRow, body: SessionChange, *, actor: str) -> None:
    """Changes what differs; nothing that differs, nothing recorded.

    Raises:
        SessionBusy: It is to be archived, and a run is unfinished.
    """
    wanted: dict[str, Any] = {
        "name": body.name or body.title,
        "model": body.model,
        "permission_mode": body.permission_mode,
        "metadata": body.metadata,
    }
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if "system_prompt" in body.model_fields_set:
        wanted["system_prompt"] = body.system_prompt
    put_away = body.status == "archived" or body.is_active is False
    if not put_away and row.state == "archived" and (body.status or body.is_active):
        wanted["state"] = "open"
    changes = {name: value for name, value in wanted.items() if value != _present(row, name)}
    await change(unit, row, actor=actor, changes=changes)
    if put_away:
        await archive(unit, row, actor=actor)


def _present(row: SessionRow, name: str) -> object:
    return getattr(row, "metadata_" if name == "metadata" else name)
