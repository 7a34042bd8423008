"""Follows a commission: as a stream of chunks, or until there is an answer to give."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Scope

from homeport.eventlog import EventLog
from homeport.gateway.openai.agent import AgentWire
from homeport.gateway.openai.commission import Commission
from homeport.gateway.openai.errors import AnswerCut
from homeport.gateway.openai.progress import Progress
from homeport.gateway.openai.wire import DONE, Head, completion, error_frame, usage_document
from homeport.identity.access import Caller
from homeport.identity.errors import CredentialRefused
from homeport.kernel.errors import HomeportError
from homeport.kernel.http.errors import error_response
from homeport.readers.stream.frame import Frame
from homeport.readers.stream.pulse import End, Line, Pulse
from homeport.readers.stream.reader import Reader
from homeport.readers.stream.sse import EventStream
from homeport.sessions.access import stream_of
from homeport.sessions.errors import SessionNotFound

NO_RETRY = {"x-should-retry": "false"}
"""OpenAI's and Anthropic's SDKs repeat a POST that failed with a 5xx, unless they are told this:
the repeat would say the message again."""


class ChatWire:
    """The agent's chunks on an event stream, ending with `[DONE]` also after an error."""

    def __init__(self, agent: AgentWire, scope: Scope) -> None:
        self._agent = agent
        self._scope = scope

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self._agent.progress.over

    def opening(self, reader: Reader) -> bytes:  # noqa: ARG002 - as the port has it
        """The first chunk, once the message is committed."""
        return self._agent.opening()

    def encode(self, frames: Sequence[Frame]) -> bytes:
        """The chunks for `frames`, up to the run's end."""
        chunks: list[bytes] = []
        for frame in frames:
            chunks.append(self._agent.take(frame))
            if self.over:
                break
        return b"".join(chunks)

    def farewell(self, line: Line) -> bytes:
        """The end of an answer, or why this connection ends before it."""
        error = self._agent.progress.error if self.over else _reason(line)
        return (error_frame(error, self._scope) if error is not None else b"") + DONE


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
    return EventStream(
        log,
        pulse,
        caller,
        stream=stream_of(commission.session_id),
        after=str(commission.cursor),
        wire=ChatWire(AgentWire(commission, include_usage=include_usage), scope),
        headers=headers,
    )


async def answered(
    log: EventLog,
    pulse: Pulse,
    *,
    caller: Caller,
    commission: Commission,
    within_s: float,
    headers: Mapping[str, str],
    scope: Scope,
) -> Response:
    """The answer in one document: whole, or after `within_s` seconds what there is of it.

    It comes at once when the run waits for people. A run that failed is an error document.

    Raises:
        CredentialRefused: The caller's credential is worth nothing any more.
        SessionNotFound: The session was deleted meanwhile.
    """
    agent = AgentWire(commission)
    progress = agent.progress
    if not progress.over:
        reader = await Reader.open(log, stream_of(commission.session_id), str(commission.cursor))
        try:
            with pulse.line(reader, caller) as line:
                await _follow(line, agent, asyncio.get_running_loop().time() + within_s)
        finally:
            reader.close()
    if progress.error is not None:
        response = error_response(progress.error, scope)
        response.headers.update({**headers, **NO_RETRY})
        return response
    document = orjson.dumps(_completion(commission, progress))
    return Response(document, headers=dict(headers), media_type="application/json")


def _completion(commission: Commission, progress: Progress) -> dict[str, Any]:
    head = Head(commission.run_id, commission.created, commission.model)
    message = {"role": "assistant", "content": progress.text, "refusal": None}
    usage = usage_document(progress.usage, progress.cost_usd)
    return completion(
        head,
        message,
        progress.finish_reason,
        usage,
        session_id=commission.session_id,
        project_id=commission.project_id,
        homeport=progress.members,
    )


async def _follow(line: Line, agent: AgentWire, deadline: float) -> None:
    """Until the run is over, waits for people, or the time is up."""
    reader, progress = line.reader, agent.progress
    while True:
        while frames := await reader.ready():
            for frame in frames:
                agent.take(frame)
                if progress.over:
                    return
        if line.end is End.REVOKED or reader.over:
            raise _reason(line)
        if line.end is not None or progress.status == "waiting":
            return
        try:
            async with asyncio.timeout_at(deadline):
                await reader.wait()
        except TimeoutError:
            return


def _reason(line: Line) -> HomeportError:
    """Why a connection ends although its run does not."""
    if line.reader.over:
        return SessionNotFound("The session was deleted.")
    if line.end is End.REVOKED:
        return CredentialRefused("This credential is worth nothing any more.")
    if line.end is End.DRAINING:
        return AnswerCut("The server is about to restart: repeat the request with Last-Event-ID.")
    return AnswerCut("The database does not answer: repeat the request with Last-Event-ID.")
