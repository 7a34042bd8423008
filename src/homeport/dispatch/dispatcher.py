"""One node's hands: claims what is due or dead, keeps the leases, ends what it must.

The database decides everything; `wake` only shortens a wait. A node that cannot reach the database
stops showing by itself, because its leases are no longer fresh.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from homeport.dispatch.lease import Claim, Ending, Lease
from homeport.dispatch.statements import Statements
from homeport.kernel import clock
from homeport.kernel.db import Database
from homeport.kernel.errors import HomeportError
from homeport.kernel.wakeups import Wakeups

POLL_S = 1.0
CLAIM_S = 5.0
"""That a claim under way may take when the node drains."""
DUE, STOPPING = "run.due", "run.stopping"
"""The topics of wake-ups: some run may be due; some run was asked to end."""
CLAIM_LIMIT = 32
_logger = structlog.get_logger(__name__)

Drive = Callable[[Claim], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class _Job:
    claim: Claim
    task: asyncio.Task[None]


class Dispatcher:
    """Runs `drive` for every run that this node claims.

    Args:
        node: `<node id>:<boot nonce>`; a restarted node knows its own leftovers by the first part.
        ttl: Seconds until a silent node's runs are taken over.
        per_user: Runs of one user that may be at work at once; the next one stays queued.
        drive: Executes one claimed run to its end, its pause or its loss; it never raises.
        wakeups: How other nodes are told; without them they look every second.
    """

    def __init__(
        self,
        database: Database,
        *,
        node: str,
        ttl: float,
        per_user: int,
        drive: Drive,
        wakeups: Wakeups | None = None,
    ) -> None:
        self.node = node
        self._database = database
        self._statements = Statements(database.dialect)
        self._ttl = ttl
        self._per_user = per_user
        self._drive = drive
        self._jobs: dict[str, _Job] = {}
        self._wakeups = wakeups or Wakeups()
        self._due = asyncio.Event()
        self._asked = asyncio.Event()
        self._claiming = False
        self._claim_at_hand = asyncio.Lock()
        self._chores: list[asyncio.Task[None]] = []

    @property
    def at_work(self) -> int:
        """Runs in this node's hands."""
        return len(self._jobs)

    async def start(self) -> None:
        """Releases what this node held before it was restarted, then claims and beats."""
        node_id = self.node.partition(":")[0]
        async with self._database.write() as session:
            await session.execute(
                self._statements.release, {"others": f"{node_id}:%", "node": self.node}
            )
        self._claiming = True
        self._wakeups.on(DUE, lambda _: self._due.set())
        self._wakeups.on(STOPPING, lambda _: self._asked.set())
        self.wake()
        self._chores = [
            asyncio.create_task(self._every(POLL_S, self._claim, self._due), name="run.claim"),
            asyncio.create_task(self._every(self._ttl / 4, self._beat), name="run.beat"),
            asyncio.create_task(self._every(POLL_S, self._look, self._asked), name="run.look"),
        ]

    def wake(self) -> None:
        """Something may be due."""
        self._due.set()
        self._wakeups.send(DUE)

    def stop(self, run_id: str) -> None:
        """Ends a run after the stop was committed: at once here, and elsewhere when it is seen."""
        job = self._jobs.get(run_id)
        if job is not None:
            self._end(job, "stop")
        else:
            self._wakeups.send(STOPPING)

    async def drain(self, grace: float) -> None:
        """Claims nothing more, gives runs `grace` seconds to end, hands the rest back, stops."""
        self._claiming = False
        await self._end_of_claim()
        if self._jobs and grace > 0:
            await asyncio.wait([job.task for job in self._jobs.values()], timeout=grace)
        left = list(self._jobs.values())
        for job in left:
            self._end(job, "drain")
        if left:
            await asyncio.wait([job.task for job in left])
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        self._chores = []

    async def _end_of_claim(self) -> None:
        """Waits for a claim under way: what it takes is ours to hand back."""
        try:
            async with asyncio.timeout(CLAIM_S), self._claim_at_hand:
                pass
        except TimeoutError:
            # A database that says nothing must not keep the process; a lease ends by itself.
            for chore in self._chores[:1]:
                chore.cancel()
                await asyncio.gather(chore, return_exceptions=True)

    async def _every(
        self, seconds: float, step: Callable[[], Awaitable[None]], due: asyncio.Event | None = None
    ) -> None:
        waker = due or asyncio.Event()
        while True:
            try:
                async with asyncio.timeout(seconds):
                    await waker.wait()
            except TimeoutError:
                pass
            waker.clear()
            try:
                await step()
            except (HomeportError, SQLAlchemyError, OSError) as error:
                # Whatever the database has, the next round may find it well again.
                _logger.warning("dispatch.step-failed", step=step.__name__, error=repr(error))

    async def _claim(self) -> None:
        async with self._claim_at_hand:
            if any(not job.claim.lease.fresh() for job in self._jobs.values()):
                await self._beat()  # we were asleep: what nobody else has taken is still ours
            if self._claiming and await self._is_pending():
                await self._take()

    async def _is_pending(self) -> bool:
        async with self._database.read() as session:
            return bool(await session.scalar(self._statements.pending))

    async def _take(self) -> None:
        begun = clock.boot_seconds()
        async with self._database.write() as session:
            claimed = await self._statements.claimed(
                session,
                node=self.node,
                ttl_ms=int(self._ttl * 1000),
                per_user=self._per_user,
                limit=CLAIM_LIMIT,
            )
        for row in claimed:
            lease = Lease(ttl=self._ttl, begun=begun)
            claim = Claim(row.id, row.session_id, row.user_id, row.run_no, row.epoch, lease)
            self._begin(claim, stopping=bool(row.stopping))
        if claimed:  # one user's runs may have filled the page, over their limit
            self._due.set()

    def _begin(self, claim: Claim, *, stopping: bool) -> None:
        earlier = self._jobs.get(claim.run_id)
        if earlier is not None:  # we were taken for dead, by ourselves
            self._lose(earlier)
        if stopping:
            claim.lease.ending = "stop"
        task = asyncio.create_task(self._drive(claim), name=f"run.{claim.run_id}")
        job = self._jobs[claim.run_id] = _Job(claim, task)
        task.add_done_callback(lambda _: self._done(job))

    def _done(self, job: _Job) -> None:
        if self._jobs.get(job.claim.run_id) is job:
            del self._jobs[job.claim.run_id]
        if not job.task.cancelled() and (error := job.task.exception()) is not None:
            _logger.error("run.driver-died", run_id=job.claim.run_id, exc_info=error)
        self.wake()  # the session's next run may be due, or this one again

    async def _beat(self) -> None:
        jobs = list(self._jobs.values())
        if not jobs:
            return
        begun = clock.boot_seconds()
        ttl = int(self._ttl * 1000)
        lost: list[_Job] = []
        async with self._database.write() as session:
            for job in jobs:
                mine = {"id": job.claim.run_id, "epoch": job.claim.epoch, "ttl": ttl}
                result = await session.execute(self._statements.beat, mine)
                if result.first() is None:
                    lost.append(job)
        for job in jobs:
            if job not in lost:
                job.claim.lease.renew(begun)
            elif not job.task.done() and self._jobs.get(job.claim.run_id) is job:
                await self._confirm_lost(job)

    async def _confirm_lost(self, job: _Job) -> None:
        """One that has just paused or finished has no lease either; only a running one lost it."""
        await asyncio.sleep(0)
        if not job.task.done():
            self._lose(job)

    async def _look(self) -> None:
        if not self._jobs:
            return
        async with self._database.read() as session:
            rows = (await session.execute(self._statements.held, {"node": self.node})).all()
        for row in rows:
            job = self._jobs.get(row.id)
            if row.stopping and job is not None and job.claim.epoch == row.epoch:
                self._end(job, "stop")

    def _end(self, job: _Job, why: Ending) -> None:
        if job.claim.lease.ending is None:
            job.claim.lease.ending = why
            # Not at once: a driver that is cancelled before its first step could end nothing.
            asyncio.get_running_loop().call_soon(job.task.cancel)

    def _lose(self, job: _Job) -> None:
        job.claim.lease.lost = True
        job.task.cancel()
