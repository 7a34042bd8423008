"""Approvals that outlive one call: for the rest of a run, or for always.

    scope    tool that executes            tool that writes
    run      the same call, in this run    every call of the tool, in this run
    always   the same call, this project   refused

"The same call" is equality of `approval.digest`, never a prefix or a pattern. A grant is the
user's: it counts for runs of the person who gave it, in that project, and for nobody else.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from sqlalchemy import and_, delete, exists, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from homeport.eventlog import Unit
from homeport.kernel import clock, ids
from homeport.kernel.db import ReadSession, WriteSession
from homeport.tools.approval import may_always
from homeport.tools.errors import ScopeNotAllowed
from homeport.tools.models import ToolGrantRow
from homeport.tools.port import ToolSpec


async def grant(
    unit: Unit,
    *,
    scope: Literal["run", "always"],
    project_id: str,
    user_id: str,
    run_id: str,
    spec: ToolSpec,
    digest: str,
    arguments: dict[str, Any],
) -> None:
    """Keeps an approval for later calls; giving the same one again changes nothing.

    The fact itself is the `approval.approved` event, with its scope, that the caller appends in
    the same unit.

    Args:
        unit: The unit in which the approval is recorded.
        scope: How long it counts.
        project_id: Where it counts.
        user_id: Whose runs it counts for.
        run_id: The run that asked.
        spec: The tool.
        digest: Of the call that was approved.
        arguments: Of the call that was approved.

    Raises:
        ScopeNotAllowed: `always`, for a call that may not have it.
    """
    if scope == "always" and not may_always(spec.name, arguments):
        raise ScopeNotAllowed(
            "Approve it once or for this run: for always, only a plain command may be approved "
            "that runs no shell and no interpreter.",
            param="scope",
        )
    connection = await unit.session.connection()
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    whole = scope == "run" and spec.effect == "write"
    await unit.session.execute(
        build(ToolGrantRow)
        .values(
            id=ids.new_id(),
            project_id=project_id,
            user_id=user_id,
            run_id=run_id if scope == "run" else None,
            tool=spec.name,
            digest=whole_tool(spec.name) if whole else digest,
            created_at=clock.utc_now(),
        )
        .on_conflict_do_nothing()
    )


async def granted(
    session: ReadSession | WriteSession,
    *,
    project_id: str,
    user_id: str,
    run_id: str,
    spec: ToolSpec,
    digest: str,
) -> bool:
    """Whether a call is covered by what this person has approved before."""
    here = [digest, whole_tool(spec.name)] if spec.effect == "write" else [digest]
    row = ToolGrantRow
    covered = or_(
        and_(row.run_id == run_id, row.digest.in_(here)),
        and_(row.run_id.is_(None), row.digest == digest),
    )
    query = select(
        exists().where(
            row.project_id == project_id,
            row.user_id == user_id,
            row.tool == spec.name,
            covered,
        )
    )
    return bool(await session.scalar(query))


async def end_run(session: WriteSession, *, run_id: str) -> None:
    """Forgets what was approved for a run that is over: bookkeeping, nothing matches it now."""
    await session.execute(delete(ToolGrantRow).where(ToolGrantRow.run_id == run_id))


def whole_tool(name: str) -> str:
    """What stands in the place of a digest when every call of a tool is covered."""
    return hashlib.sha256(name.encode()).hexdigest()
