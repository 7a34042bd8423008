"""A loopback server that speaks the Anthropic Messages streaming protocol, for tests.

In a test, scripted with objects:

    async with upstream() as server:
        server.script(Reply(text("Hello ", "world")), Fail(429, headers={"retry-after": "7"}))
        ... call http://127.0.0.1:<server.port> ...
        assert server.requests[0].body["system"][0]["cache_control"]

As a process, for tests that kill, with directives in the last user text of the prompt:

    python tests/support/upstream.py PORT
    PERF n=<deltas> i=<ms>        streams n small deltas, i milliseconds apart
    TOOL <name> <json object>     calls the tool; after its result the next TOOL, at last a text
    FAIL 429|500|529|hang|cut|error [x<times>]

Unscripted requests are answered by their directives; without any, by "ok".
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, cast

Json = dict[str, Any]
End = Literal["stop", "cut", "hang", "close"]

PERF = re.compile(r"PERF n=(\d+)(?: i=([\d.]+))?")
TOOL = re.compile(r"TOOL ([\w.-]+) (?=\{)")
FAIL = re.compile(r"FAIL (429|500|529|hang|cut|error)(?: x(\d+))?")
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"request-id: req_test\r\ntransfer-encoding: chunked\r\n\r\n"
)


def event(kind: str, **members: Any) -> bytes:
    """One server-sent event as the API writes it."""
    document = json.dumps({"type": kind, **members})
    return f"event: {kind}\ndata: {document}\n\n".encode()


def start_block(index: int, **content: Any) -> bytes:
    return event("content_block_start", index=index, content_block=content)


def delta(index: int, kind: str, **members: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **members})


def stop_block(index: int) -> bytes:
    return event("content_block_stop", index=index)


def text(*pieces: str, index: int = 0) -> list[bytes]:
    """The events of a text block."""
    deltas = [delta(index, "text_delta", text=piece) for piece in pieces]
    return [start_block(index, type="text", text=""), *deltas, stop_block(index)]


def thinking(*pieces: str, signature: str, index: int = 0) -> list[bytes]:
    """The events of a thinking block."""
    return [
        start_block(index, type="thinking", thinking="", signature=""),
        *(delta(index, "thinking_delta", thinking=piece) for piece in pieces),
        delta(index, "signature_delta", signature=signature),
        stop_block(index),
    ]


def tool_use(name: str, *pieces: str, id: str, index: int = 0) -> list[bytes]:  # noqa: A002
    """The events of a tool call whose raw input arrives in `pieces`."""
    deltas = [delta(index, "input_json_delta", partial_json=piece) for piece in pieces]
    started = start_block(index, type="tool_use", id=id, name=name, input={})
    return [started, *deltas, stop_block(index)]


@dataclass(frozen=True, slots=True)
class Reply:
    """A stream: these events between the message's start and its end.

    Attributes:
        cuts: Sizes of the pieces in which the bytes are written; the last one repeats. Empty: one
            piece per event.
        end: `stop` is a whole answer, `close` leaves out its last events, `cut` breaks the
            connection, `hang` falls silent.
    """

    events: Sequence[bytes] = ()
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    usage: Json = field(default_factory=lambda: {"input_tokens": 10, "output_tokens": 1})
    output_tokens: int = 20
    stop_details: Json | None = None
    interval_s: float = 0.0
    cuts: Sequence[int] = ()
    end: End = "stop"
    bare: bool = False

    def pieces(self, model: str) -> list[bytes]:
        """The bytes of the body, as they are written."""
        whole = list(self.events) if self.bare else [*self._head(model), *self.events]
        if self.end == "stop" and not self.bare:
            whole += self._tail()
        if not self.cuts:
            return whole
        body, sizes = b"".join(whole), deque(self.cuts)
        pieces: list[bytes] = []
        while body:
            size = sizes.popleft() if len(sizes) > 1 else sizes[0]
            pieces.append(body[:size])
            body = body[size:]
        return pieces

    def _head(self, model: str) -> list[bytes]:
        message: Json = {
            "id": "msg_test",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": self.usage,
        }
        return [event("message_start", message=message), event("ping")]

    def _tail(self) -> list[bytes]:
        stop: Json = {"stop_reason": self.stop_reason, "stop_sequence": self.stop_sequence}
        if self.stop_details:
            stop["stop_details"] = self.stop_details
        usage = {"output_tokens": self.output_tokens}
        return [event("message_delta", delta=stop, usage=usage), event("message_stop")]


@dataclass(frozen=True, slots=True)
class Fail:
    """An answer that is no stream."""

    status: int
    message: str = "asked for by the test"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None

    def whole(self) -> bytes:
        kind = ERROR_TYPES.get(self.status, "api_error")
        document = {"type": "error", "error": {"type": kind, "message": self.message}}
        body = json.dumps(document).encode() if self.body is None else self.body
        headers = {"content-type": "application/json", "request-id": "req_test", **self.headers}
        rows = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {self.status} Fail\r\n{rows}content-length: {len(body)}\r\n\r\n"
        return head.encode() + body


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer at all."""


Step = Reply | Fail | Hang


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: Json


class Upstream:
    """The server's state.

    Attributes:
        cancelled: Counts the requests whose client left before the end.
        decide: Answers what is not scripted, instead of the directives.
    """

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Received] = []
        self.cancelled = 0
        self.left = asyncio.Event()
        self.decide: Callable[[Received], Step] | None = None
        self._steps: deque[Step] = deque()
        self._failed: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def entry(self) -> str:
        """What an outbound client must list to reach this server."""
        return f"127.0.0.1:{self.port}"

    def script(self, *steps: Step) -> None:
        """The answers to the next requests, in order."""
        self._steps.extend(steps)

    def forget(self) -> None:
        """Drops what is scripted and what was received: for the next test on one server."""
        self._steps.clear()
        self._failed.clear()
        self.requests.clear()
        self.cancelled = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is free to leave
        finally:
            writer.close()

    async def close(self) -> None:
        """Ends every connection."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        received = await _receive(reader)
        self.requests.append(received)
        answering = asyncio.ensure_future(self._answer(received, writer))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.cancelled += 1
                self.left.set()
                return False
            return answering.result() and not leaving.done()
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _answer(self, received: Received, writer: asyncio.StreamWriter) -> bool:
        """Writes one answer; whether the connection can serve another request."""
        step = self._next_step(received)
        if isinstance(step, Hang):
            await asyncio.Event().wait()
        elif isinstance(step, Fail):
            writer.write(step.whole())
            await writer.drain()
            return True
        else:
            return await _write_reply(step, received.body.get("model", ""), writer)
        return False

    def _next_step(self, received: Received) -> Step:
        key = received.headers.get("x-api-key") or received.headers.get("authorization", "")
        if not key or "bad" in key:
            return Fail(401, "invalid x-api-key")
        if received.path != "/v1/messages":
            return Fail(404, received.path)
        if self._steps:
            return self._steps.popleft()
        if self.decide is not None:
            return self.decide(received)
        return self._directed(*read_prompt(received.body.get("messages", [])))

    def _directed(self, prompt: str, results: int) -> Step:
        perf, fail = PERF.search(prompt), FAIL.search(prompt)
        pieces = [f"delta {number} " for number in range(int(perf[1]))] if perf else ["ok"]
        interval_s = float(perf[2] or 0) / 1_000 if perf else 0.0
        if fail and (not fail[2] or self._failed[prompt] < int(fail[2])):
            self._failed[prompt] += 1
            return _failing(fail[1], pieces, interval_s)
        calls = [
            (match[1], json.dumps(json.JSONDecoder().raw_decode(prompt, match.end())[0]))
            for match in TOOL.finditer(prompt)
        ]
        if results < len(calls):
            name, raw = calls[results]
            half = len(raw) // 2
            number = len(self.requests)
            call = tool_use(name, raw[:half], raw[half:], id=f"toolu_test_{number}_{results}")
            return Reply(call, stop_reason="tool_use")
        return Reply(text(*pieces), interval_s=interval_s)


def read_prompt(messages: Sequence[Json]) -> tuple[str, int]:
    """The last user text that is no tool result, and how many results came after it."""
    results = 0
    for message in reversed(messages):
        if message.get("role") != "user":
            continue
        content = message.get("content")
        if isinstance(content, str):
            return content, results
        blocks = cast("list[Json]", content)
        found = sum(block.get("type") == "tool_result" for block in blocks)
        if not found:
            return "\n".join(str(block.get("text", "")) for block in blocks), results
        results += found
    return "", results


def _failing(kind: str, pieces: list[str], interval_s: float) -> Step:
    if kind == "hang":
        return Hang()
    if kind == "429":
        return Fail(429, headers={"retry-after": "1"})
    if kind.isdigit():
        return Fail(int(kind))
    half = text(*pieces)[: 1 + (len(pieces) + 1) // 2]
    if kind == "cut":
        return Reply(half, end="cut", interval_s=interval_s)
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    return Reply([*half, error], end="close", interval_s=interval_s)


async def _receive(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rows = head.split("\r\n")[:-2]
    headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in rows)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(line.split(" ")[1], headers, json.loads(body or b"{}"))


async def _write_reply(reply: Reply, model: str, writer: asyncio.StreamWriter) -> bool:
    writer.write(STREAM_HEAD)
    for piece in reply.pieces(model):
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
        # Without a pause the pieces of a cut would arrive as one.
        await asyncio.sleep(reply.interval_s)
    if reply.end == "hang":
        await asyncio.Event().wait()
    if reply.end == "cut":
        return False
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


@asynccontextmanager
async def upstream(port: int = 0) -> AsyncGenerator[Upstream, None]:
    """A server on a free loopback port, or on `port`, closed with the block."""
    state = Upstream()
    server = await asyncio.start_server(state.serve, "127.0.0.1", port, limit=1 << 24)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        await state.close()


async def _run(port: int) -> None:
    async with upstream(port) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(int(sys.argv[1])))
