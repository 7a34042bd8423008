"""A claimed run while it is in this node's hands."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from homeport.dispatch import Claim
from homeport.dispatch.lease import fenced
from homeport.eventlog import EventLog, Unit
from homeport.eventlog.catalogue.run import RunStarted
from homeport.eventlog.segments import MessageWriter
from homeport.providers.port import Usage
from homeport.runs.workbench import Workbench
from homeport.sessions.models import SessionRow
from homeport.sessions.service.conclude import interrupt_message, settle_calls
from homeport.sessions.state import RunState, SessionState


@dataclass(slots=True)
class Step:
    """One fenced write unit of a run, with the session's row in it."""

    unit: Unit
    row: SessionRow


class Job:
    """A run, its session's fold, and what it works with.

    Attributes:
        writer: The open message that this job writes, if any.
        seen: What the open message has used so far.
    """

    def __init__(
        self,
        log: EventLog,
        claim: Claim,
        *,
        node: str,
        session: SessionState,
        is_idempotent: Callable[[str], bool],
    ) -> None:
        self.log = log
        self.claim = claim
        self.session = session
        self.writer: MessageWriter | None = None
        self.seen = Usage()
        self._node = node
        self._is_idempotent = is_idempotent
        self._bench: Workbench | None = None

    @property
    def left_open(self) -> bool:
        """Whether another node, or this one before a crash, was in the middle of something."""
        begun = any(call.started for call in self.state.pending)
        return begun or self.state.open_message is not None

    @property
    def announced(self) -> bool:
        """Whether the log says that this claim has taken the run up."""
        return self.state.epoch == self.claim.epoch

    @property
    def ready(self) -> bool:
        """Whether the workbench is set up."""
        return self._bench is not None

    @property
    def bench(self) -> Workbench:
        """What the run works with, once it is set up."""
        if self._bench is None:
            raise RuntimeError("the workbench is not set up yet")
        return self._bench

    @bench.setter
    def bench(self, bench: Workbench) -> None:
        self._bench = bench

    def refolded(self, session: SessionState) -> Job:
        """The same job on a fresh fold, for when a commit's outcome is in doubt."""
        job = Job(
            self.log,
            self.claim,
            node=self._node,
            session=session,
            is_idempotent=self._is_idempotent,
        )
        job.writer, job.seen, job._bench = self.writer, self.seen, self._bench
        return job

    @property
    def state(self) -> RunState:
        """What the events say of this run."""
        return self.session.run(self.claim.run_id)

    @asynccontextmanager
    async def step(self) -> AsyncGenerator[Step, None]:
        """A fenced write unit; the first one announces the claim and mends what a crash left.

        Raises:
            LeaseLost: Somebody else has the run; nothing was written.
        """
        async with fenced(self.log, self.claim) as unit:
            row = await unit.session.get_one(SessionRow, self.claim.session_id)
            if not self.announced:
                await self._announce(unit, row)
            yield Step(unit, row)
        self.session.apply(unit.records)

    async def mend(self) -> None:
        """Closes what a crash left open, by a step of its own: what comes next is judged by it.

        Raises:
            LeaseLost: Somebody else has the run; nothing was written.
        """
        if self.left_open and not self.announced:
            async with self.step():
                pass

    async def _announce(self, unit: Unit, row: SessionRow) -> None:
        claim, state = self.claim, self.state
        # The claimer's first append after a take-over closes what the one before it left open.
        await interrupt_message(unit, row, state, reason="crashed")
        in_doubt = [
            call for call in state.pending if call.started and not self._is_idempotent(call.tool)
        ]
        await settle_calls(unit, row, state, calls=in_doubt, killed=False)
        started = RunStarted(run_id=claim.run_id, epoch=claim.epoch, node=self._node)
        unit.append(claim.stream, started, actor=claim.actor)
