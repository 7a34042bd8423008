"""A stateless call as an HTTP response: in one document, or as chunks.

Pure ASGI, as each layer around a chunk is paid for per delta.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any

import orjson
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from homeport.gateway.openai.stateless import Call
from homeport.gateway.openai.tools import JSON_TOOL
from homeport.gateway.openai.wire import (
    DONE,
    FINISH,
    Chunks,
    Head,
    completion,
    error_frame,
    usage_document,
)
from homeport.kernel.http.errors import known_failure
from homeport.kernel.http.middleware.exchange import answer_at_edge
from homeport.providers.blocks import STREAMED_INPUT
from homeport.providers.port import BlockDelta, BlockStarted, Completed, ProviderEvent

_logger = structlog.get_logger(__name__)
_STREAM_HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}
_NO_INPUT = "{}"
"""What a call without arguments is on this wire, where clients parse them as JSON."""


class _Answer(Response):
    def __init__(self, call: Call, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._call = call
        self._extra = headers
        self._head = Head.fresh(call.model.id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, at the edge; a client that goes away ends the model call.

        Raises:
            ProviderError: The call failed before the answer had begun.
        """
        await answer_at_edge(scope, receive, send, partial(self._answer, scope))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        serving = asyncio.create_task(self._serve(scope, send), name="chat.stateless")
        leaving = asyncio.create_task(_gone(receive), name="chat.listen")
        try:
            await asyncio.wait({serving, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            serving.cancel()
            await asyncio.gather(serving, leaving, return_exceptions=True)
            if serving.cancelled():
                self._call.cancel()
            await self._call.end()
        if not serving.cancelled():
            serving.result()

    @abstractmethod
    async def _serve(self, scope: Scope, send: Send) -> None: ...


class Whole(_Answer):
    """The completion in one document."""

    async def _serve(self, scope: Scope, send: Send) -> None:  # noqa: ARG002 - a stream needs it
        call, document = self._call, b""
        async with aclosing(call.events()) as events:
            async for event in events:
                if isinstance(event, Completed):
                    message, finish = _message(event, in_json=call.in_json)
                    usage = usage_document(event.usage, call.cost_usd)
                    document = orjson.dumps(completion(self._head, message, finish, usage))
        await call.end()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(document)),
            **self._extra,
        }
        await send({"type": "http.response.start", "status": 200, "headers": _encoded(headers)})
        await send({"type": "http.response.body", "body": document})


class Stream(_Answer):
    """The completion as chunks, ended by `[DONE]`, also after an error."""

    def __init__(self, call: Call, headers: Mapping[str, str], *, include_usage: bool) -> None:
        super().__init__(call, {**_STREAM_HEADERS, **headers})
        self._include_usage = include_usage
        self._chunks = Chunks(self._head)
        self._text_blocks: set[int] = set()
        self._calls: dict[int, int] = {}
        self._without_input: set[int] = set()
        self._said = False

    async def _serve(self, scope: Scope, send: Send) -> None:
        async with aclosing(self._call.events()) as events:
            first = await anext(events)  # what fails before it has a status of its own
            await self._begin(send)
            last = await self._follow(first, events, scope, send)
        await self._call.end()
        await send({"type": "http.response.body", "body": last + DONE, "more_body": False})

    async def _begin(self, send: Send) -> None:
        headers = _encoded(self._extra)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _body(send, self._chunks.delta({"role": "assistant", "content": ""}))

    async def _follow(
        self,
        first: ProviderEvent,
        events: AsyncGenerator[ProviderEvent, None],
        scope: Scope,
        send: Send,
    ) -> bytes:
        """Sends the chunks of an answer that has begun; returns the error that ends it, if any."""
        try:
            await _body(send, self._translate(first))
            async for event in events:
                await _body(send, self._translate(event))
        except Exception as error:  # noqa: BLE001 - the answer has begun: it is told in it
            failure = known_failure(error, scope)
            _logger.info("chat.broke-off", code=failure.code, model=self._call.model.id)
            return error_frame(failure, scope)
        return b""

    def _translate(self, event: ProviderEvent) -> bytes:
        if isinstance(event, BlockDelta):
            return self._more(event)
        if isinstance(event, BlockStarted):
            return self._begun(event)
        return self._ended(event) if isinstance(event, Completed) else b""

    def _begun(self, event: BlockStarted) -> bytes:
        if event.type == ("tool_use" if self._call.in_json else "text"):
            self._text_blocks.add(event.block)
        elif event.type in STREAMED_INPUT and not self._call.in_json:
            index = self._calls[event.block] = len(self._calls)
            self._without_input.add(index)
            function = {"name": event.name, "arguments": ""}
            call = {"index": index, "id": event.id, "type": "function", "function": function}
            return self._chunks.delta({"tool_calls": [call]})
        return b""

    def _more(self, event: BlockDelta) -> bytes:
        if event.block in self._text_blocks:
            self._said = True
            return self._chunks.text(event.text)
        index = self._calls.get(event.block)
        return b"" if index is None else self._arguments(index, event.text)

    def _arguments(self, index: int, text: str) -> bytes:
        self._without_input.discard(index)
        call = {"index": index, "function": {"arguments": text}}
        return self._chunks.delta({"tool_calls": [call]})

    def _ended(self, event: Completed) -> bytes:
        message, finish = _message(event, in_json=self._call.in_json)
        chunk = b"".join([self._arguments(i, _NO_INPUT) for i in sorted(self._without_input)])
        if self._call.in_json and not self._said:
            chunk += self._chunks.text(message["content"])  # a refusal, or an empty object
        chunk += self._chunks.delta({}, finish)
        if self._include_usage:
            chunk += self._chunks.usage(event.usage, self._call.cost_usd)
        return chunk


def _message(done: Completed, *, in_json: bool) -> tuple[dict[str, Any], str]:
    """The assistant's message, and OpenAI's word for how it ended."""
    texts = [block["text"] for block in done.blocks if block["type"] == "text"]
    calls = [block for block in done.blocks if block["type"] in STREAMED_INPUT]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts), "refusal": None}
    finish = FINISH.get(done.stop_reason or "", "stop")
    if not calls:
        return message, finish
    if in_json and calls[0]["name"] == JSON_TOOL:
        message["content"] = calls[0]["text"] or _NO_INPUT
        return message, "stop" if finish == "tool_calls" else finish
    message["content"] = message["content"] or None
    message["tool_calls"] = [
        {
            "id": block["id"],
            "type": "function",
            "function": {"name": block["name"], "arguments": block["text"] or _NO_INPUT},
        }
        for block in calls
    ]
    return message, finish


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


async def _body(send: Send, chunk: bytes) -> None:
    if chunk:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
