"""What a model turn asks: the conversation, what the model is, and what it may use."""

from __future__ import annotations

import hashlib
from typing import Any

from homeport.providers.port import ModelRequest, Usage
from homeport.runs.context import context_of
from homeport.runs.job import Job


async def request_of(job: Job) -> tuple[ModelRequest, list[str]]:
    """The next request of a run, and the names of the instruction files that went into it."""
    bench, claim = job.bench, job.claim
    context = await context_of(
        bench.workspace, system_prompt=bench.system_prompt, notices=bench.notices
    )
    request = ModelRequest(
        model=bench.model.id,
        messages=job.session.history(claim.run_id),
        system=context.system,
        tools=bench.definitions if bench.model.supports_tools else (),
        user_id=hashlib.sha256(claim.user_id.encode()).hexdigest()[:32],
    )
    return request, context.files


def counts(usage: Usage) -> dict[str, Any]:
    """The members of an event that tell what a call of the model used."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
    }
