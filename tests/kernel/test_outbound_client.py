"""The client's promises about time, size and the end of a connection."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest

import homeport
from homeport.kernel.outbound import (
    Outbound,
    OutboundFailed,
    OutboundTimedOut,
    OutboundTooLarge,
)
from support.listener import Heard, listening

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n"
# The one place that may open an HTTP connection, and the one that only builds requests.
HTTP_CLIENTS = {"aiohttp", "httpx", "httpx2", "requests", "urllib3", "http.client"}
MAY_IMPORT = {"kernel/outbound", "providers/anthropic/signing.py"}


def test_http_clients_are_imported_nowhere_but_behind_the_guard() -> None:
    root = Path(homeport.__file__).parent
    found = {
        f"{path.relative_to(root)} imports {name}"
        for path in root.rglob("*.py")
        if not any(str(path.relative_to(root)).startswith(place) for place in MAY_IMPORT)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _imported(node)
        if name in HTTP_CLIENTS
        or name.partition(".")[0] in HTTP_CLIENTS
        or "urllib.request" in name
    }
    assert found == set()


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


async def test_request_arrives_as_given_and_its_answer_is_read() -> None:
    async with listening() as listener, Outbound(allow=[listener.entry]) as outbound:
        fetched = await outbound.fetch(
            "post",
            f"{listener.origin}/a?b=c#d",
            headers={"X-A": "1", "Host": "evil"},
            body=b"body",
        )
        heard = listener.heard[0]
        assert (fetched.status, fetched.body) == (200, b"ok")
        assert (heard.line, heard.body) == ("POST /a?b=c HTTP/1.1", b"body")
        assert heard.headers["host"] == listener.entry
        assert heard.headers["accept-encoding"] == "identity"
        assert heard.headers["x-a"] == "1"


async def test_status_of_an_error_is_an_answer() -> None:
    broken = b"HTTP/1.1 500 No\r\ncontent-length: 1\r\n\r\nx"
    async with (
        listening(lambda _: broken) as listener,
        Outbound(allow=[listener.entry]) as outbound,
    ):
        assert (await outbound.fetch("GET", listener.origin)).status == 500


async def test_connection_is_used_again_after_a_whole_answer() -> None:
    async with listening() as listener, Outbound(allow=[listener.entry]) as outbound:
        for _ in range(3):
            await outbound.fetch("GET", listener.origin)
        assert (listener.connections, len(listener.heard)) == (1, 3)


async def test_silence_before_the_head_times_out() -> None:
    async with listening(lambda _: b"") as listener, Outbound(allow=[listener.entry]) as outbound:
        with pytest.raises(OutboundTimedOut):
            async with outbound.stream("GET", listener.origin, idle_timeout_s=0.05):
                pass


async def test_silence_in_the_body_times_out_after_what_arrived() -> None:
    async with (
        listening(lambda _: HEAD + b"abc") as listener,
        Outbound(allow=[listener.entry]) as outbound,
    ):
        arrived = b""
        with pytest.raises(OutboundTimedOut):  # noqa: PT012 - the loop is what is tested
            async with outbound.stream("GET", listener.origin, idle_timeout_s=0.05) as answer:
                while chunk := await answer.next_chunk():
                    arrived += chunk
        assert arrived == b"abc"


async def test_fetch_limits_the_whole_time() -> None:
    async with (
        listening(lambda _: HEAD + b"abc") as listener,
        Outbound(allow=[listener.entry]) as outbound,
    ):
        with pytest.raises(OutboundTimedOut):
            await outbound.fetch("GET", listener.origin, timeout_s=0.05)


async def test_body_over_the_cap_is_refused() -> None:
    async with (
        listening(lambda _: HEAD + b"abcdef") as listener,
        Outbound(allow=[listener.entry]) as outbound,
    ):
        with pytest.raises(OutboundTooLarge):
            await outbound.fetch("GET", listener.origin, max_bytes=5)
        assert (await outbound.fetch("GET", listener.origin, max_bytes=6)).body == b"abcdef"


async def test_leaving_a_stream_early_closes_the_connection() -> None:
    async with (
        listening(lambda _: HEAD + b"abc") as listener,
        Outbound(allow=[listener.entry]) as outbound,
    ):
        async with outbound.stream("GET", listener.origin):
            pass
        await asyncio.wait_for(listener.closed_by_client.wait(), 10)


async def test_connection_that_breaks_is_a_failure() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"abc")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Outbound(allow=[f"127.0.0.1:{port}"]) as outbound:
        with pytest.raises(OutboundFailed):
            await outbound.fetch("GET", f"http://127.0.0.1:{port}/")
        server.close()
        await server.wait_closed()
        with pytest.raises(OutboundFailed):
            await outbound.fetch("GET", f"http://127.0.0.1:{port}/")


async def test_header_with_a_line_break_is_refused_before_it_is_sent() -> None:
    async with listening() as listener, Outbound(allow=[listener.entry]) as outbound:
        with pytest.raises(OutboundFailed):
            await outbound.fetch("GET", listener.origin, headers={"X-A": "1\r\nX-B: 2"})
        assert listener.heard == []


async def test_client_can_be_used_again_after_close() -> None:
    async with listening() as listener, Outbound(allow=[listener.entry]) as outbound:
        await outbound.fetch("GET", listener.origin)
        await outbound.close()
        await outbound.fetch("GET", listener.origin)
        assert listener.connections == 2


async def test_cookies_are_not_kept() -> None:
    def with_cookie(_: Heard) -> bytes:
        return b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"

    async with listening(with_cookie) as listener, Outbound(allow=[listener.entry]) as outbound:
        await outbound.fetch("GET", listener.origin)
        await outbound.fetch("GET", listener.origin)
        assert "cookie" not in listener.heard[1].headers
