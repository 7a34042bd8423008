"""Lets the Anthropic SDK build and sign a request, and takes it from its hands before it is sent.

The SDK knows the headers, the URL and the way a key travels; its HTTP client costs several times
what the guarded one does and knows nothing of the guard. Importing this module takes seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Never

import anthropic
import httpx2


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request, ready to be sent."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


class _Taken(anthropic.AnthropicError):
    """Carries the request out of the SDK, which passes errors of its own kind on untouched."""

    def __init__(self, request: SignedRequest) -> None:
        super().__init__("taken")
        self.request = request


class _Taker(httpx2.AsyncBaseTransport):
    """A transport that sends nothing."""

    async def handle_async_request(self, request: httpx2.Request) -> Never:
        body = await request.aread()
        raise _Taken(SignedRequest(request.method, str(request.url), dict(request.headers), body))


class Signer:
    """The SDK's client, used up to the moment of sending.

    Args:
        api_key: The key; the SDK's own search through environment and files is not used.
        base_url: Where the API is.
        betas: Values of the `anthropic-beta` header.
    """

    def __init__(self, *, api_key: str, base_url: str, betas: tuple[str, ...]) -> None:
        self._client = anthropic.AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            # A span of the SDK's would end when the request is taken from it.
            open_telemetry=False,
            default_headers={"anthropic-beta": ",".join(betas)} if betas else None,
            http_client=httpx2.AsyncClient(transport=_Taker(), trust_env=False),
        )

    async def sign(self, path: str, body: dict[str, Any]) -> SignedRequest:
        """The signed POST of `body` to `path`.

        Raises:
            UnicodeEncodeError: The body holds text that is not Unicode.
        """
        try:
            await self._client.post(path, body=body, cast_to=object)
        except _Taken as taken:
            return taken.request
        except anthropic.APIConnectionError as error:
            if isinstance(error.__cause__, UnicodeEncodeError):
                raise error.__cause__ from None
            raise
        message = "the SDK answered without sending"
        raise RuntimeError(message)

    async def close(self) -> None:
        """Closes the SDK's client."""
        await self._client.close()
