"""What is not one plain HTTP/1.1 request never becomes two (RFC 9112 sections 2.2, 5 and 6)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from support.server import Server

HIDDEN = b"GET /v1/auth/me HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
SILENCE_S = 3.0
CHUNKED = b"0\r\n\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    head = (b"POST /v1/auth/login HTTP/1.1", b"Host: 127.0.0.1", *lines)
    return b"\r\n".join(head) + b"\r\n\r\n" + body


LENGTH, CODING = b"Content-Length: 5", b"Transfer-Encoding: chunked"
REQUESTS = {
    "length-and-coding": post(LENGTH, CODING, body=CHUNKED + HIDDEN),
    "coding-and-length": post(CODING, LENGTH, body=CHUNKED + HIDDEN),
    "two-lengths": post(LENGTH, b"Content-Length: 6", body=b"hello" + HIDDEN),
    "length-list": post(b"Content-Length: 5, 6", body=b"hello" + HIDDEN),
    "length-signed": post(b"Content-Length: +5", body=b"hello" + HIDDEN),
    "length-negative": post(b"Content-Length: -5", body=HIDDEN),
    "length-hex": post(b"Content-Length: 0x5", body=b"hello" + HIDDEN),
    "length-words": post(b"Content-Length: five", body=HIDDEN),
    "length-huge": post(b"Content-Length: 99999999999999999999", body=HIDDEN),
    "length-space": post(b"Content-Length : 5", body=b"hello" + HIDDEN),
    "coding-unknown": post(b"Transfer-Encoding: cow", body=HIDDEN),
    "coding-then-unknown": post(b"Transfer-Encoding: chunked, cow", body=CHUNKED + HIDDEN),
    "coding-space": post(b"Transfer-Encoding : chunked", LENGTH, body=CHUNKED + HIDDEN),
    "coding-twice": post(CODING, b"Transfer-Encoding: identity", body=CHUNKED + HIDDEN),
    "coding-folded": post(b"Transfer-Encoding:", b" chunked", LENGTH, body=CHUNKED + HIDDEN),
    "obs-fold": post(b"X-One: a", b" Content-Length: 44", body=HIDDEN),
    "bare-line-feed": b"POST /v1/auth/login HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 0\n\n"
    + HIDDEN,
    "bare-carriage-return": post(b"X-One: a\rContent-Length: 5", body=b"hello" + HIDDEN),
    "nul-in-a-name": post(b"X-\x00One: a", body=HIDDEN),
    "nul-in-a-value": post(b"X-One: a\x00b", body=HIDDEN),
    "no-colon": post(b"X-One", body=HIDDEN),
    "chunk-size-signed": post(CODING, body=b"-1\r\n" + CHUNKED + HIDDEN),
    "chunk-size-huge": post(CODING, body=b"fffffffffffffffff\r\n" + HIDDEN),
    "chunk-line-feed": post(CODING, body=b"5\nhello\n0\n\n" + HIDDEN),
    "two-hosts": post(b"Host: evil.example", b"Connection: close", LENGTH, body=b"hello"),
    "absolute-form-of-another": b"GET http://evil.example/ HTTP/1.1\r\n"
    b"Host: evil.example\r\nConnection: close\r\n\r\n",
    "absolute-form-beside-our-name": b"GET http://evil.example/livez HTTP/1.1\r\n"
    b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n",
}
"""Each with a second request behind it that nobody may answer where the first was refused."""


async def answers(server: Server, raw: bytes) -> list[int]:
    """The status of every answer to `raw`, until the server closes or waits for more."""
    url = urlsplit(server.base_url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(raw)
    await writer.drain()
    got = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(SILENCE_S):
            while more := await reader.read(65_536):
                got += more
    writer.close()
    await writer.wait_closed()
    return [int(part[:3]) for part in got.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.requirement("38")
@pytest.mark.parametrize("name", REQUESTS)
async def test_request_when_its_end_is_in_doubt_then_it_is_refused_and_nothing_follows(
    server: Server, name: str
) -> None:
    found = await answers(server, REQUESTS[name])
    assert found in ([400], []), found


async def test_requests_when_they_are_plain_then_each_is_answered(server: Server) -> None:
    first = post(b"Content-Type: application/json", b"Content-Length: 2", body=b"{}")
    assert await answers(server, first + HIDDEN) == [422, 401]
    absolute = HIDDEN.replace(b" /", b" http://127.0.0.1:1/", 1)
    assert await answers(server, absolute) == [401]
