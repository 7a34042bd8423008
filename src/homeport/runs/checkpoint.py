"""Checkpoints around a run, and undo: what makes remote steering safe."""

from __future__ import annotations

from homeport.eventlog import Event
from homeport.eventlog.catalogue.workspace import CheckpointCreated, CheckpointFailed
from homeport.files.checkpoints import Checkpoints
from homeport.kernel.errors import Unavailable
from homeport.runs.job import Job

END = 0
"""The turn number of the state after a run, which tells later changes from the run's own."""


class Safeguard:
    """Makes a checkpoint before a turn first changes something, and one when the run is over."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints

    async def before(self, job: Job, turn: int) -> None:
        """Keeps the workspace as it is before `turn` changes it; nothing where there is no git.

        A workspace that cannot be recorded is changed all the same, and `checkpoint.failed` says
        that this turn cannot be undone.

        Raises:
            LeaseLost: Somebody else has the run.
        """
        if job.bench.git and turn not in {*job.state.checkpoints, *job.state.unkept}:
            await self._keep(job, turn)

    async def after(self, job: Job) -> None:
        """Keeps the workspace as the run leaves it, if the run may have changed it."""
        if (
            job.ready
            and job.bench.git
            and job.state.checkpoints
            and END not in job.state.checkpoints
        ):
            await self._keep(job, END)

    async def _keep(self, job: Job, turn: int) -> None:
        run_id = job.claim.run_id
        event: Event | None = None
        try:
            commit = await self._checkpoints.create(job.bench.workspace, label=f"{run_id}/{turn}")
        except Unavailable as error:
            # Without a sandbox no git runs; files can still be written, and people are told.
            event = CheckpointFailed(run_id=run_id, turn=turn, reason=error.detail)
        else:
            if commit is not None:
                event = CheckpointCreated(run_id=run_id, turn=turn, commit=commit)
        if event is not None:
            async with job.step() as step:
                step.unit.append(job.claim.stream, event, actor=job.claim.actor)
