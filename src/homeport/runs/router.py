"""What people do to a run that is over."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from homeport.eventlog import EventLog
from homeport.files.checkpoints import Checkpoints
from homeport.identity.access import SignedIn
from homeport.kernel.http.provide import provided
from homeport.runs.undo import undo

router = APIRouter(prefix="/v1/runs", tags=["runs"])

Log = Annotated[EventLog, provided(EventLog)]
Keeper = Annotated[Checkpoints, provided(Checkpoints)]


class UndoBody(BaseModel):
    """What to undo."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turn: int | None = Field(None, ge=1, description="Undo from this turn on; absent: all of it")
    force: bool = Field(
        default=False,
        description="Also files that were changed after the run; their state is kept in `before`",
    )


class UndoView(BaseModel):
    """What was undone. Paths are relative to the workspace."""

    run_id: str
    turn: int
    restored: list[str]
    removed: list[str]
    kept: list[str] = Field(description="Left where they are: ignored when the checkpoint was made")
    before: str = Field(description="The checkpoint of the state that was undone")


@router.post("/{run_id}/undo")
async def undo_run(
    run_id: str, caller: SignedIn, log: Log, keeper: Keeper, body: UndoBody | None = None
) -> UndoView:
    """Put back the files that a run changed. 409 `undo.conflict` names those changed since."""
    asked = body or UndoBody(turn=None)
    done = await undo(log, keeper, caller=caller, run_id=run_id, turn=asked.turn, force=asked.force)
    return UndoView(
        run_id=run_id,
        turn=done.turn,
        restored=list(done.files.restored),
        removed=list(done.files.removed),
        kept=list(done.files.kept),
        before=done.files.before,
    )
