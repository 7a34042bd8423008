"""The end of a run: its record, its row and its last event in one unit."""

from __future__ import annotations

from homeport.dispatch import queue
from homeport.dispatch.queue import Outcome
from homeport.runs.job import Job, Step
from homeport.sessions.service.conclude import end_record


async def finish(
    job: Job,
    step: Step,
    outcome: Outcome,
    *,
    reason: str | None = None,
    detail: str | None = None,
) -> None:
    """Ends the run inside `step`.

    Raises:
        LeaseLost: It is no longer this node's to end.
    """
    seq = await end_record(
        step.unit,
        step.row,
        job.state,
        actor=job.claim.actor,
        status=outcome,
        reason=reason,
        detail=detail,
    )
    await queue.finish(step.unit, job.claim, outcome, seq=seq)
