"""Drives a claimed run from wherever its events say it stands to its end, its pause or its loss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from homeport.dispatch import Claim, LeaseLost, queue
from homeport.eventlog import EventLog
from homeport.eventlog.errors import MessageFenced
from homeport.kernel import ids
from homeport.kernel.db.failures import DatabaseBusy, DatabaseUnreachable
from homeport.kernel.errors import HomeportError, StorageFull
from homeport.providers.port import Usage
from homeport.runs.calls import Calls
from homeport.runs.checkpoint import Safeguard
from homeport.runs.finish import finish
from homeport.runs.job import Job, Step
from homeport.runs.limits import Limits
from homeport.runs.turn import Turns
from homeport.runs.workbench import Workbenches
from homeport.sessions.models import SessionRow
from homeport.sessions.service.conclude import Interruption, fold, interrupt_message
from homeport.sessions.state import SessionState

_logger = structlog.get_logger(__name__)


class Driver:
    """The agent loop. One `drive` may be started by any node at any time.

    Args:
        node: This node's name, for the log.
        is_idempotent: Whether a tool may be made again after a crash left it in doubt.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        node: str,
        benches: Workbenches,
        turns: Turns,
        calls: Calls,
        limits: Limits,
        safeguard: Safeguard,
        is_idempotent: Callable[[str], bool],
    ) -> None:
        self._log = log
        self._node = node
        self._benches = benches
        self._turns = turns
        self._calls = calls
        self._limits = limits
        self._safeguard = safeguard
        self._is_idempotent = is_idempotent

    async def drive(self, claim: Claim) -> None:
        """Runs `claim` to its end, its pause or its loss. Never raises, save when the loop ends."""
        job: Job | None = None
        try:
            row, state = await self._fold(claim)
            job = Job(
                self._log,
                claim,
                node=self._node,
                session=state,
                is_idempotent=self._is_idempotent,
            )
            if claim.lease.ending == "stop":  # asked for before anybody held the run
                await self._fail(claim, job, "stop", None, outcome="stopped")
                return
            job.bench = await self._benches.open(row)
            await job.mend()
            await self._loop(job)
        except asyncio.CancelledError:
            await self._cancelled(claim, job)
        except (LeaseLost, MessageFenced):
            _logger.info("run.lost", run_id=claim.run_id, epoch=claim.epoch)
        except (DatabaseBusy, DatabaseUnreachable, StorageFull) as error:
            # Nothing can be written now: the lease runs out and the run is taken up again.
            _logger.warning("run.put-aside", run_id=claim.run_id, code=error.code)
        except HomeportError as error:
            await self._fail(claim, job, error.code, error.detail)
        except Exception:
            error_id = ids.new_id()
            _logger.exception("run.failed", run_id=claim.run_id, error_id=error_id)
            await self._fail(claim, job, "internal", f"Something broke here; error_id {error_id}.")
        finally:
            if job is not None and job.writer is not None:
                job.writer.discard()

    async def _fold(self, claim: Claim) -> tuple[SessionRow, SessionState]:
        async with self._log.database.read() as session:
            row = await session.get_one(SessionRow, claim.session_id)
            return row, await fold(session, row)

    async def _refolded(self, claim: Claim, job: Job | None) -> Job:
        _, state = await self._fold(claim)
        if job is not None:
            return job.refolded(state)
        return Job(
            self._log,
            claim,
            node=self._node,
            session=state,
            is_idempotent=self._is_idempotent,
        )

    async def _loop(self, job: Job) -> None:
        state = job.state
        while True:
            if state.answered:
                async with job.step() as step:
                    await finish(job, step, "completed")
                return
            forbids = self._limits.forbids_call if state.pending else self._limits.forbids_turn
            if (limit := forbids(state)) is not None:
                await self._keep(job)
                async with job.step() as step:
                    await finish(job, step, "budget_exceeded", reason=limit)
                return
            if state.pending:
                if not await self._calls.make(job):
                    return
            else:
                await self._turns.take(job)
                if state.status == "finished":
                    return

    async def _cancelled(self, claim: Claim, job: Job | None) -> None:
        """Somebody stopped the run, the node drains, or the lease is lost."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        if claim.lease.lost or claim.lease.ending is None:
            _logger.info("run.lost", run_id=claim.run_id, epoch=claim.epoch)
            return
        stopped = claim.lease.ending == "stop"
        if stopped:
            await self._fail(claim, job, "stop", None, outcome="stopped")
        else:
            await self._hand_back(claim, job)

    async def _fail(
        self,
        claim: Claim,
        job: Job | None,
        reason: str,
        detail: str | None,
        *,
        outcome: queue.Outcome = "failed",
    ) -> None:
        """Ends the run from what the log says: a cancelled commit may or may not have happened."""
        try:
            if job is not None:
                await self._keep(job)
            job = await self._refolded(claim, job)
            await job.mend()
            async with job.step() as step:
                await self._close(job, step, "stopped" if outcome == "stopped" else "crashed")
                job.session.apply(step.unit.records)
                if job.state.status != "finished":
                    await finish(job, step, outcome, reason=reason, detail=detail)
        except LeaseLost:
            _logger.info("run.lost", run_id=claim.run_id, epoch=claim.epoch)
        except HomeportError as error:
            _logger.warning("run.put-aside", run_id=claim.run_id, code=error.code)

    async def _keep(self, job: Job) -> None:
        """The state after the run, if it can be had: a missing one only makes undo ask more."""
        try:
            await self._safeguard.after(job)
        except (LeaseLost, DatabaseBusy, DatabaseUnreachable):
            raise
        except HomeportError as error:
            _logger.warning("run.no-checkpoint", run_id=job.claim.run_id, code=error.code)

    async def _hand_back(self, claim: Claim, job: Job | None) -> None:
        try:
            job = await self._refolded(claim, job)
            await job.mend()
            async with job.step() as step:
                await self._close(job, step, "draining")
                await queue.requeue(step.unit, claim)
        except LeaseLost:
            _logger.info("run.lost", run_id=claim.run_id, epoch=claim.epoch)
        except HomeportError as error:
            _logger.warning("run.put-aside", run_id=claim.run_id, code=error.code)

    async def _close(self, job: Job, step: Step, reason: Interruption) -> None:
        """Closes the open message, with the text that only this process has if it has it."""
        writer, opened = job.writer, job.state.open_message
        ours = (
            writer is not None
            and opened is not None
            and writer.message.message_id == opened.message_id
        )
        blocks = writer.stored() if writer is not None and ours else None
        if writer is not None:
            writer.close()
        usage = job.seen if ours else Usage()
        await interrupt_message(
            step.unit, step.row, job.state, reason=reason, blocks=blocks, usage=usage
        )
        job.writer = None
