"""Compaction: a conversation that has grown too long for the model goes on from a summary of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from homeport.eventlog.catalogue.context import (
    CompactionFailed,
    CompactionStarted,
    ContextCompacted,
)
from homeport.providers.catalogue import cost
from homeport.providers.errors import ProviderError
from homeport.providers.port import Completed, ModelInfo, ModelRequest, Usage, UsageSeen
from homeport.runs.budget import Budget
from homeport.runs.job import Job
from homeport.runs.limits import Limits
from homeport.runs.request import counts, request_of
from homeport.sessions.service import journal

SUMMARY_TOKENS = 16_000
INSTRUCTION = """\
The conversation has grown too long and will go on from a summary that you write now. You will see \
nothing of the above again, except what I asked for last, which stays word by word. Write down all \
that is needed to go on without a break, and nothing else:

1. What I want, with every wish and correction of mine that still holds.
2. What has been done, with the paths of the files that were read, made or changed, and why.
3. What was learnt: how the project is built, run and tested, decisions, errors and their causes.
4. Where the work stands, what comes next, and what was promised.

Call no tools. Answer with the summary alone."""


class Compaction:
    """Summarises a conversation between two turns, when there is nothing left undone in it.

    Args:
        share: Of the model's context window; a request above it is compacted first.
    """

    def __init__(self, *, limits: Limits, budget: Budget, share: float) -> None:
        self._limits = limits
        self._budget = budget
        self._share = share

    def is_due(self, job: Job) -> bool:
        """Whether the next request would be too long, and a summary would make it shorter."""
        session, run_id = job.session, job.claim.run_id
        if session.context_tokens(run_id) <= self._room(job.bench.model):
            return False
        return session.has_answers(run_id)  # what a person has just said stays as it is

    async def make(self, job: Job) -> None:
        """Asks the model for the summary and records it; nothing of the log is lost.

        Raises:
            ProviderError: It failed; the run is the caller's.
            PaymentRequired: The budget does not cover it; nothing was asked.
            LeaseLost: Somebody else has the run.
        """
        claim, model = job.claim, job.bench.model
        tokens = job.session.context_tokens(claim.run_id)
        async with job.step() as step:
            begun = CompactionStarted(run_id=claim.run_id, model=model.id, context_tokens=tokens)
            step.unit.append(claim.stream, begun, actor=claim.actor)
        reservation = await self._budget.reserve(claim, turn=job.state.next_turn, model=model.id)
        job.seen, done = Usage(), None
        limit = asyncio.timeout(max(self._limits.seconds_left(job.state), 0.0))
        try:
            async with limit:
                done = await _ask(job, await _question(job))
        except TimeoutError:
            if not limit.expired():
                raise
            # The run's time is over: whoever asks for the next turn ends it.
            await self._record(job, _failed(job, "limit.time", "The run's time was over in it."))
        except ProviderError as error:
            await self._record(job, _failed(job, error.code, error.detail))
            raise
        else:
            summary = _text(done.blocks)
            await self._record(
                job,
                ContextCompacted(
                    run_id=claim.run_id,
                    model=model.id,
                    up_to_seq=job.session.seq,
                    summary=summary,
                    **_bill(job),
                ),
            )
        finally:
            await self._budget.settle(
                reservation,
                usage=job.seen,
                cost_usd=cost(job.seen, model),
                estimated=done is None,
            )

    async def _record(self, job: Job, event: ContextCompacted | CompactionFailed) -> None:
        async with job.step() as step:
            journal.compact(step.unit, step.row, event)

    def _room(self, model: ModelInfo) -> int:
        """Tokens that a request may have: the answer needs room too."""
        answer = min(model.max_output_tokens, model.context_window // 2)
        return int(self._share * (model.context_window - answer))


async def _question(job: Job) -> ModelRequest:
    """The next request, with the instruction in its place: the provider's cache knows the rest."""
    request, _ = await request_of(job)
    instruction = {"type": "text", "text": INSTRUCTION}
    *earlier, last = request.messages
    if last["role"] == "user":
        messages = [*earlier, {"role": "user", "content": [*last["content"], instruction]}]
    else:
        messages = [*request.messages, {"role": "user", "content": [instruction]}]
    return replace(
        request,
        messages=messages,
        max_tokens=min(SUMMARY_TOKENS, job.bench.model.max_output_tokens),
        tool_choice={"type": "none"} if request.tools else None,
    )


async def _ask(job: Job, request: ModelRequest) -> Completed:
    stream = job.bench.provider.stream(request)
    try:
        async for event in stream:
            if isinstance(event, UsageSeen | Completed):
                job.seen = event.usage
            if isinstance(event, Completed):
                if not _text(event.blocks).strip():
                    break
                return event
    finally:
        await stream.aclose()
    message = "The model gave no summary of a conversation that is too long for it."
    raise ProviderError(message, retryable=False)


def _failed(job: Job, code: str, detail: str) -> CompactionFailed:
    return CompactionFailed(
        run_id=job.claim.run_id,
        model=job.bench.model.id,
        code=code,
        detail=detail,
        **_bill(job),
    )


def _bill(job: Job) -> dict[str, Any]:
    return {**counts(job.seen), "cost_usd": float(cost(job.seen, job.bench.model))}


def _text(blocks: list[dict[str, Any]]) -> str:
    return "\n\n".join(block["text"] for block in blocks if block["type"] == "text")
