"""Follows a commission: as a stream of chunks, or until there is an answer to give."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.types import Scope

from homeport.eventlog import EventLog
from homeport.gateway.openai.agent import AgentWire
from homeport.gateway.openai.commission import Commission
from homeport.gateway.openai.stateless import error_frame
from homeport.gateway.openai.wire import completion, usage_document
from homeport.identity.access import Caller
from homeport.readers.stream.frame import Frame
from homeport.readers.stream.pulse import End, Line, Pulse
from homeport.readers.stream.reader import Reader
from homeport.readers.stream.sse import EventStream
from homeport.sessions.access import stream_of


class ChatWire:
    """The agent's chunks on an event stream, ending with `[DONE]` also after an error."""

    def __init__(self, agent: AgentWire, commission: Commission, scope: Scope) -> None:
        self._agent = agent
        self._commission = commission
        self._scope = scope

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self._agent.progress.over

    def opening(self, reader: Reader) -> bytes:
        """The first chunk, once the message is committed; a heart-beat for one who is back."""
        if self._commission.fresh:
            return self._agent.opening(reader.cursor)
        return self._agent.heartbeat(reader.cursor)

    def encode(self, frames: Sequence[Frame]) -> bytes:
        """The chunks for `frames`, up to the run's end."""
        chunks: list[bytes] = []
        for frame in frames:
            chunks.append(self._agent.take(frame))
            if self.over:
                break
        return b"".join(chunks)

    def farewell(self, line: Line) -> bytes:  # noqa: ARG002 - as the port has it
        """The end of an answer. A line that was cut has none: its client comes back."""
        if not self.over:
            return b""
        error = self._agent.progress.error
        told = error_frame(error, self._scope) if error is not None else b""
        return told + self._agent.end()


def streamed(
    log: EventLog,
    pulse: Pulse,
    *,
    caller: Caller,
    commission: Commission,
    include_usage: bool,
    headers: Mapping[str, str],
    scope: Scope,
) -> EventStream:
    """The answer as chunks."""
    agent = AgentWire(
        session_id=commission.session_id,
        run_id=commission.run_id,
        model=commission.model,
        include_usage=include_usage,
    )
    return EventStream(
        log,
        pulse,
        caller,
        stream=stream_of(commission.session_id),
        after=commission.cursor,
        wire=ChatWire(agent, commission, scope),
        headers=headers,
    )


async def answered(
    log: EventLog,
    pulse: Pulse,
    *,
    caller: Caller,
    commission: Commission,
    within_s: float,
) -> dict[str, Any]:
    """The answer in one document: whole, or after `within_s` seconds what there is of it.

    Raises:
        RunFailed: The run failed.
    """
    agent = AgentWire(
        session_id=commission.session_id, run_id=commission.run_id, model=commission.model
    )
    reader = await Reader.open(log, stream_of(commission.session_id), commission.cursor)
    try:
        with pulse.line(reader, caller) as line:
            await _follow(line, agent, asyncio.get_running_loop().time() + within_s)
    finally:
        reader.close()
    progress = agent.progress
    if progress.error is not None:
        raise progress.error
    about: dict[str, Any] = {
        "run_id": commission.run_id,
        "status": progress.status,
        "cursor": f"{commission.session_id}/{reader.cursor}",
    }
    if progress.approval_id is not None:
        about["approval_id"] = progress.approval_id
    message = {"role": "assistant", "content": "".join(progress.text), "refusal": None}
    return completion(
        commission.model,
        message,
        progress.finish_reason,
        usage_document(progress.usage, progress.cost_usd),
        session_id=commission.session_id,
        project_id=commission.project_id,
        homeport=about,
    )


async def _follow(line: Line, agent: AgentWire, deadline: float) -> None:
    """Until the run is over, waits for people, or the time is up."""
    reader = line.reader
    while line.end is not End.GONE:
        for frame in await reader.ready():
            agent.take(frame)
            if agent.progress.over:
                return
        if agent.progress.status == "waiting" or line.end is not None:
            return
        try:
            async with asyncio.timeout_at(deadline):
                await reader.wait()
        except TimeoutError:
            return
