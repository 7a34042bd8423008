"""One model turn: asked, streamed into the open message, closed with all that came."""

from __future__ import annotations

import asyncio
import random

from homeport.eventlog.catalogue.message import MessageCompleted, MessageStarted
from homeport.eventlog.catalogue.run import TurnRetried, TurnStarted
from homeport.kernel import ids
from homeport.providers.catalogue import cost
from homeport.providers.errors import ProviderError, UnknownModel
from homeport.providers.port import (
    BlockDelta,
    BlockStarted,
    Completed,
    ModelRequest,
    Usage,
)
from homeport.runs.budget import Budget
from homeport.runs.checkpoint import Safeguard
from homeport.runs.compaction import Compaction
from homeport.runs.finish import finish
from homeport.runs.job import Job, Step
from homeport.runs.limits import Limits
from homeport.runs.request import counts, request_of
from homeport.sessions.service import journal
from homeport.sessions.service.conclude import Interruption, interrupt_message

BACKOFF_S = 1.0
BACKOFF_MOST_S = 60.0
JITTER = 0.1
"""Of the time that the provider asks to wait."""
ENDINGS = {"max_tokens": "length", "refusal": "refusal", "model_context_window_exceeded": "length"}
"""Why an answer without tool calls is not simply the end of what the model wanted to say."""


class Turns:
    """Takes model turns.

    Args:
        backoff: Seconds before the first retry; doubled each time, with full jitter.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        budget: Budget,
        safeguard: Safeguard,
        compaction: Compaction,
        backoff: float = BACKOFF_S,
    ) -> None:
        self._limits = limits
        self._safeguard = safeguard
        self._budget = budget
        self._compaction = compaction
        self._backoff = backoff

    async def take(self, job: Job) -> None:
        """Asks the model once. A failure that may pass is written down and waited for.

        What it is asked is a summary, where the conversation has grown too long. Ends the run where
        the answer does, or where its time does.

        Raises:
            ProviderError, UnknownModel: It failed for good; the message is closed, the run is the
                caller's.
            PaymentRequired: The budget does not cover it; nothing was asked.
            LeaseLost: Somebody else has the run.
        """
        if self._compaction.is_due(job):
            await self._compact(job)
            return
        state, bench = job.state, job.bench
        turn = state.next_turn
        reservation = await self._budget.reserve(job.claim, turn=turn, model=bench.model.id)
        request, files = await request_of(job)
        await self._open(job, turn=turn, new=turn > state.turn, files=files)
        delay: float | None = None
        try:
            done = await self._stream(job, request)
            if done is None:
                await self._out_of_time(job)
            else:
                await self._complete(job, done)
        except (ProviderError, UnknownModel) as error:
            delay = await self._failed(job, turn, error)
            if delay is None:
                raise
        finally:
            await self._budget.settle(
                reservation,
                usage=job.seen,
                cost_usd=cost(job.seen, bench.model),
                estimated=not job.state.turns or not job.state.turns[-1].completed,
            )
        if delay is not None:
            await asyncio.sleep(delay)

    async def _compact(self, job: Job) -> None:
        try:
            await self._compaction.make(job)
        except (ProviderError, UnknownModel) as error:
            delay = await self._failed(job, job.state.next_turn, error)
            if delay is None:
                raise
            await asyncio.sleep(delay)

    async def _open(self, job: Job, *, turn: int, new: bool, files: list[str]) -> None:
        claim, message_id = job.claim, ids.new_id()
        model = job.bench.model.id
        async with job.step() as step:
            if new:
                started = TurnStarted(run_id=claim.run_id, turn=turn, model=model, context=files)
                step.unit.append(claim.stream, started, actor=claim.actor)
            opens = MessageStarted(
                message_id=message_id, run_id=claim.run_id, turn=turn, model=model
            )
            seq = await journal.begin_message(step.unit, step.row, opens, epoch=claim.epoch)
        job.seen = Usage()
        job.writer = job.log.open_message(
            claim.stream,
            message_id=message_id,
            started_seq=seq,
            epoch=claim.epoch,
            may_show=claim.lease.fresh,
        )

    async def _stream(self, job: Job, request: ModelRequest) -> Completed | None:
        """Streams the answer into the open message; None when the run's time is over before it."""
        writer = job.writer
        if writer is None:
            raise RuntimeError("a turn streams into an open message")
        lease, stream = job.claim.lease, job.bench.provider.stream(request)
        limit = asyncio.timeout(max(self._limits.seconds_left(job.state), 0.0))
        try:
            async with limit:
                async for event in stream:
                    if not lease.fresh():
                        await lease.certain()
                    if isinstance(event, BlockDelta):
                        writer.delta(event.text)
                    elif isinstance(event, BlockStarted):
                        writer.block_started(event.type, id=event.id, name=event.name)
                    else:
                        job.seen = event.usage
                        if isinstance(event, Completed):
                            return event
        except TimeoutError:
            if not limit.expired():
                raise
            return None
        finally:
            await stream.aclose()
        raise ProviderError("The provider ended the answer without closing it.", started=True)

    async def _complete(self, job: Job, done: Completed) -> None:
        claim, writer = job.claim, job.writer
        if writer is None:
            raise RuntimeError("only an open message can be completed")
        if not any(block["type"] == "tool_use" for block in done.blocks):
            await self._safeguard.after(job)
        writer.close()
        completed = MessageCompleted(
            message_id=writer.message.message_id,
            run_id=claim.run_id,
            turn=job.state.turn,
            blocks=done.blocks,
            stop_reason=done.stop_reason,
            stop_sequence=done.stop_sequence,
            cost_usd=float(cost(done.usage, job.bench.model)),
            **counts(done.usage),
        )
        async with job.step() as step:
            await journal.close_message(step.unit, step.row, completed)
            job.session.apply(step.unit.records)
            if job.state.answered:  # the same commit ends the run: one less for every answer
                await finish(job, step, "completed", reason=ENDINGS.get(done.stop_reason or ""))
        job.writer = None

    async def _out_of_time(self, job: Job) -> None:
        """Closes the message with what came of it, and ends the run."""
        await self._safeguard.after(job)
        async with job.step() as step:
            await self._interrupt(job, step, "stopped", "The run's time was over in this answer.")
            job.session.apply(step.unit.records)
            await finish(job, step, "budget_exceeded", reason="limit.time")
        job.writer = None

    async def _failed(
        self, job: Job, turn: int, error: ProviderError | UnknownModel
    ) -> float | None:
        """Closes the message and says whether, and after how many seconds, to ask again."""
        claim, attempt = job.claim, job.state.attempts + 1
        delay: float | None = None
        if isinstance(error, ProviderError) and error.retryable and attempt < self._limits.attempts:
            delay = self._delay(attempt, error.retry_after)
            if delay >= self._limits.seconds_left(job.state):
                delay = None  # nobody would be there to ask again
        async with job.step() as step:
            await self._interrupt(job, step, "provider", error.detail)
            if delay is not None:
                retried = TurnRetried(
                    run_id=claim.run_id,
                    turn=turn,
                    attempt=attempt,
                    delay_ms=int(delay * 1000),
                    code=error.code,
                    detail=error.detail,
                )
                step.unit.append(claim.stream, retried, actor=claim.actor)
        job.writer = None
        return delay

    async def _interrupt(self, job: Job, step: Step, reason: Interruption, detail: str) -> None:
        blocks = None
        if job.writer is not None:
            blocks = job.writer.stored()
            job.writer.close()
        await interrupt_message(
            step.unit,
            step.row,
            job.state,
            reason=reason,
            blocks=blocks,
            detail=detail,
            usage=job.seen,
            cost_usd=float(cost(job.seen, job.bench.model)),
        )

    def _delay(self, attempt: int, retry_after: float | None) -> float:
        """Seconds before the next attempt; never sooner than the provider asks for."""
        if retry_after is not None:
            return retry_after * random.uniform(1.0, 1 + JITTER)  # noqa: S311 - spreads load
        most = min(self._backoff * 2**attempt, BACKOFF_MOST_S)
        return random.uniform(self._backoff / 2, most)  # noqa: S311 - spreads load
