"""What comes back: a body that is read in pieces, or one that was read to its end."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import ClientError, ClientResponse
from multidict import CIMultiDictProxy

from homeport.kernel.outbound.errors import (
    OutboundFailed,
    OutboundTimedOut,
    OutboundTooLarge,
)


class Answer:
    """A response whose body has not been read yet. It lives as long as its `stream` block."""

    def __init__(self, response: ClientResponse, *, max_bytes: int | None) -> None:
        self._response = response
        self._max_bytes = max_bytes
        self._seen = 0
        self.status: int = response.status
        self.headers: CIMultiDictProxy[str] = response.headers
        self.url = str(response.url)

    async def next_chunk(self) -> bytes:
        """The next piece of the body as it arrived; empty at its end.

        Raises:
            OutboundFailed: The connection broke before the body's end.
            OutboundTimedOut: Nothing arrived for the idle time.
            OutboundTooLarge: More than `max_bytes` arrived.
        """
        try:
            chunk = await self._response.content.readany()
        except TimeoutError as error:
            raise OutboundTimedOut("The other side fell silent in the middle.") from error
        except (ClientError, OSError) as error:
            raise OutboundFailed(f"The connection broke: {describe(error)}.") from error
        self._seen += len(chunk)
        if self._max_bytes is not None and self._seen > self._max_bytes:
            raise OutboundTooLarge(f"More than {self._max_bytes} bytes arrived.")
        return chunk

    async def read(self) -> bytes:
        """The rest of the body; raises what `next_chunk` raises."""
        chunks: list[bytes] = []
        while chunk := await self.next_chunk():
            chunks.append(chunk)
        return b"".join(chunks)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response that was read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    url: str


def describe(error: Exception) -> str:
    """What happened, without the addresses that aiohttp's messages carry."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
