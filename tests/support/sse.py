"""Reads an event stream as WHATWG HTML 9.2 says, and believes no line end but LF."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson


@dataclass(frozen=True, slots=True)
class Heard:
    """One event of an event stream."""

    id: str
    event: str
    data: dict[str, Any]
    retry: int | None = None


def parse(block: bytes) -> Heard:
    """One event, without the empty line that ends it."""
    assert b"\r" not in block
    fields: dict[str, str] = {}
    for line in block.decode().split("\n"):
        name, _, value = line.partition(": ")
        assert name in {"id", "event", "data", "retry"}
        assert name not in fields
        fields[name] = value
    data = orjson.loads(fields["data"])
    assert data["cursor"] == fields["id"]
    assert data["kind"] == fields["event"]
    retry = int(fields["retry"]) if "retry" in fields else None
    return Heard(fields["id"], fields["event"], data, retry)


async def heard(response: aiohttp.ClientResponse) -> AsyncIterator[Heard]:
    """The events of `response`, until it ends."""
    rest = b""
    async for chunk in response.content.iter_any():
        *blocks, rest = (rest + chunk).split(b"\n\n")
        for block in blocks:
            yield parse(block)
    assert not rest


def dechunked(body: bytes) -> bytes:
    """The content of a chunked body as far as its chunks are whole."""
    content, at = b"", 0
    while (end := body.find(b"\r\n", at)) >= 0:
        size = int(body[at:end], 16)
        chunk = body[end + 2 : end + 2 + size]
        if len(chunk) < size or not size:
            break
        content += chunk
        at = end + 2 + size + 2
    return content
