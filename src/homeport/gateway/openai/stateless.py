"""One model call with nothing behind it: OpenAI's semantics; usage is recorded, text is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Literal

import orjson
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from homeport.eventlog import EventLog
from homeport.eventlog.catalogue.run import UsageRecorded
from homeport.gateway.openai.translate import JSON_TOOL
from homeport.gateway.openai.wire import DONE, FINISH, Chunks, completion, usage_document
from homeport.kernel.errors import HomeportError
from homeport.kernel.http.errors import error_document
from homeport.providers.blocks import STREAMED_INPUT
from homeport.providers.catalogue import cost
from homeport.providers.errors import ProviderInterrupted
from homeport.providers.port import (
    BlockDelta,
    BlockStarted,
    Completed,
    ModelInfo,
    ModelRequest,
    Provider,
    ProviderEvent,
    Usage,
    UsageSeen,
)

_logger = structlog.get_logger(__name__)
_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Call:
    """One model call and its account.

    Args:
        in_json: The answer is the input of the tool that stands for `response_format`.
    """

    def __init__(
        self,
        log: EventLog,
        provider: Provider,
        model: ModelInfo,
        request: ModelRequest,
        *,
        user_id: str,
        in_json: bool,
    ) -> None:
        self.model = model
        self.in_json = in_json
        self.usage = Usage()
        self._log = log
        self._user_id = user_id
        self._stream = provider.stream(request)
        self._first: ProviderEvent | None = None
        self._status: Literal["completed", "failed", "cancelled"] = "cancelled"

    async def begin(self) -> None:
        """Waits for the first event, so that what fails before it has a status of its own.

        Raises:
            ProviderError: The call failed.
        """
        try:
            self._first = await anext(self._stream)
        except HomeportError:
            self._status = "failed"
            await self.end()
            raise
        except StopAsyncIteration:
            self._status = "failed"
            await self.end()
            raise ProviderInterrupted("The provider answered nothing.") from None

    async def events(self) -> AsyncGenerator[ProviderEvent, None]:
        """The events, the first one included.

        Raises:
            ProviderError: The answer broke off.
        """
        if self._first is not None:
            self._note(self._first)
            yield self._first
        async for event in self._stream:
            self._note(event)
            yield event

    def failed(self) -> None:
        """Notes that the answer broke off."""
        self._status = "failed"

    @property
    def cost_usd(self) -> float:
        """What it cost so far."""
        return float(cost(self.usage, self.model))

    async def end(self) -> None:
        """Closes the call and records its usage, whole or not."""
        await self._stream.aclose()
        stream = f"account:{self._user_id}"
        recorded = UsageRecorded(
            model=self.model.id,
            input_tokens=self.usage.input_tokens,
            output_tokens=self.usage.output_tokens,
            cache_read_tokens=self.usage.cache_read_tokens,
            cache_write_tokens=self.usage.cache_write_tokens,
            cost_usd=self.cost_usd,
            status=self._status,
        )
        async with self._log.unit(stream) as unit:
            unit.append(stream, recorded, actor=f"user:{self._user_id}")

    def _note(self, event: ProviderEvent) -> None:
        if isinstance(event, UsageSeen):
            self.usage = event.usage
        elif isinstance(event, Completed):
            self.usage, self._status = event.usage, "completed"


async def answer(call: Call) -> dict[str, Any]:
    """The whole completion.

    Raises:
        ProviderError: The call failed.
    """
    done: Completed | None = None
    try:
        async for event in call.events():
            if isinstance(event, Completed):
                done = event
    except HomeportError:
        call.failed()
        raise
    finally:
        await call.end()
    if done is None:
        raise ProviderInterrupted("The answer ended without its close.")
    texts = [block["text"] for block in done.blocks if block["type"] == "text"]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts), "refusal": None}
    calls = [block for block in done.blocks if block["type"] in STREAMED_INPUT]
    finish = FINISH.get(done.stop_reason or "", "stop")
    if call.in_json and calls and calls[0]["name"] == JSON_TOOL:
        message["content"], finish = calls[0]["text"] or "{}", _of_json(finish)
    elif calls:
        message["content"] = message["content"] or None
        message["tool_calls"] = [
            {
                "id": block["id"],
                "type": "function",
                "function": {"name": block["name"], "arguments": block["text"] or "{}"},
            }
            for block in calls
        ]
    return completion(call.model.id, message, finish, usage_document(call.usage, call.cost_usd))


class Stream(Response):
    """The completion as chunks. Pure ASGI: each layer around a chunk is paid for per delta."""

    def __init__(self, call: Call, *, include_usage: bool, headers: dict[str, str]) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        extra = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self.raw_headers = [*_HEADERS, *extra]
        self._call = call
        self._include_usage = include_usage
        self._chunks = Chunks(call.model.id)
        self._tools: dict[int, int] = {}
        self._texts: set[int] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; a client that goes away ends the call."""
        serving = asyncio.create_task(self._serve(scope, send), name="chat.stateless")
        gone = asyncio.create_task(_gone(receive), name="chat.listen")
        try:
            await asyncio.wait({serving, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not serving.done():
                serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            await self._call.end()

    async def _serve(self, scope: Scope, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await self._body(send, self._chunks.delta({"role": "assistant", "content": ""}))
        try:
            async for event in self._call.events():
                chunk = self._translate(event)
                if chunk:
                    await self._body(send, chunk)
        except HomeportError as error:
            self._call.failed()
            _logger.info("chat.broke-off", code=error.code)
            await self._body(send, error_frame(error, scope))
        await send({"type": "http.response.body", "body": DONE, "more_body": False})

    @staticmethod
    async def _body(send: Send, chunk: bytes) -> None:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})

    def _translate(self, event: ProviderEvent) -> bytes | None:
        if isinstance(event, BlockDelta):
            index = self._tools.get(event.block)
            if index is None:
                return self._chunks.text(event.text) if event.block in self._texts else None
            function = {"arguments": event.text}
            return self._chunks.delta({"tool_calls": [{"index": index, "function": function}]})
        if isinstance(event, BlockStarted):
            return self._begun(event)
        if isinstance(event, Completed):
            return self._ended(event)
        return None

    def _begun(self, event: BlockStarted) -> bytes | None:
        if event.type == "text" or (self._call.in_json and event.name == JSON_TOOL):
            self._texts.add(event.block)
        elif event.type in STREAMED_INPUT:
            index = self._tools[event.block] = len(self._tools)
            function = {"name": event.name, "arguments": ""}
            call = {"index": index, "id": event.id, "type": "function", "function": function}
            return self._chunks.delta({"tool_calls": [call]})
        return None

    def _ended(self, event: Completed) -> bytes:
        finish = FINISH.get(event.stop_reason or "", "stop")
        if self._call.in_json:
            finish = _of_json(finish)
        chunk = self._chunks.delta({}, finish)
        if self._include_usage:
            chunk += self._chunks.usage(event.usage, self._call.cost_usd)
        return chunk


def _of_json(finish: str) -> str:
    return "stop" if finish == "tool_calls" else finish


def error_frame(error: HomeportError, scope: Scope) -> bytes:
    """An error in the middle of an answer; `[DONE]` still follows."""
    member = error_document(error, scope)["error"]
    return b"data: " + orjson.dumps({"error": member}) + b"\n\n"


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
