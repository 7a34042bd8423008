"""Claude as a provider: the SDK signs, the guarded client sends, our parser reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, cast

from homeport.kernel.outbound import (
    Answer,
    Outbound,
    OutboundBlocked,
    OutboundFailed,
    OutboundTimedOut,
)
from homeport.providers.anthropic.assembler import Assembler
from homeport.providers.anthropic.failures import failure_of_answer
from homeport.providers.anthropic.reader import EventReader
from homeport.providers.anthropic.request import build_body
from homeport.providers.catalogue import KNOWN, find_claude
from homeport.providers.errors import (
    ProviderCredentials,
    ProviderError,
    ProviderInterrupted,
    ProviderRefused,
    ProviderTimeout,
    UnknownModel,
)
from homeport.providers.port import ModelInfo, ModelRequest, ProviderEvent

if TYPE_CHECKING:
    from homeport.providers.anthropic.signing import SignedRequest, Signer

BASE_URL = "https://api.anthropic.com"
OK = 200
LARGEST_ERROR = 1 << 16


class AnthropicProvider:
    """The Messages API of Anthropic, or of what speaks like it.

    Args:
        outbound: A client of this provider's own: what is listed in it for `base_url` must be out
            of reach for URLs that users type.
        api_key: The key.
        base_url: None for Anthropic's own.
        betas: Values of the `anthropic-beta` header.
        idle_timeout_s: Seconds without a byte until a call counts as dead. The API sends pings
            while it thinks.
    """

    name = "anthropic"

    def __init__(
        self,
        outbound: Outbound,
        *,
        api_key: str,
        base_url: str | None = None,
        betas: Sequence[str] = (),
        idle_timeout_s: float = 60.0,
    ) -> None:
        self._outbound = outbound
        self._api_key = api_key
        self._base_url = base_url or BASE_URL
        self._betas = tuple(betas)
        self._idle_timeout_s = idle_timeout_s
        self._signer: Signer | None = None
        self._opening = asyncio.Lock()

    def models(self) -> Sequence[ModelInfo]:
        """The Claude models that the catalogue knows."""
        return KNOWN

    def find(self, model_id: str) -> ModelInfo | None:
        """Any Claude, also one that is newer than the catalogue."""
        return find_claude(model_id)

    async def warm(self) -> None:
        """Loads the SDK, which takes seconds, away from the event loop; else the first call does.

        Idempotent.
        """
        async with self._opening:
            if self._signer is None:
                signing = await asyncio.to_thread(
                    import_module, "homeport.providers.anthropic.signing"
                )
                self._signer = cast(
                    "Signer",
                    signing.Signer(
                        api_key=self._api_key, base_url=self._base_url, betas=self._betas
                    ),
                )

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Calls the model; `aclose()` closes the connection, which ends the work upstream.

        Raises:
            UnknownModel: Neither this provider nor the API knows the model.
            ProviderError: The call failed; nothing has been retried.
        """
        signed = await self._sign(request)
        assembler = Assembler()
        try:
            async with self._outbound.stream(
                signed.method,
                signed.url,
                headers=signed.headers,
                body=signed.body,
                idle_timeout_s=self._idle_timeout_s,
            ) as answer:
                if answer.status != OK:
                    raise await _failure(answer, request.model)
                reader = EventReader(assembler)
                while assembler.completed is None:
                    for event in reader.feed(await answer.next_chunk()):
                        yield event
                    if reader.failure is not None:
                        raise reader.failure
        except OutboundTimedOut as error:
            raise ProviderTimeout(error.detail, started=assembler.started) from error
        except OutboundFailed as error:
            raise ProviderInterrupted(error.detail, started=assembler.started) from error
        except OutboundBlocked as error:
            raise ProviderError(error.detail, retryable=False) from error

    async def close(self) -> None:
        """Closes the SDK's client and the guarded one."""
        if self._signer is not None:
            signer, self._signer = self._signer, None
            await signer.close()
        await self._outbound.close()

    async def _sign(self, request: ModelRequest) -> SignedRequest:
        info = find_claude(request.model)
        if info is None:
            raise UnknownModel(f"{request.model!r} is not a Claude model.", param="model")
        if not self._api_key:
            raise ProviderCredentials("No ANTHROPIC_API_KEY is set.")
        await self.warm()
        signer = cast("Signer", self._signer)
        try:
            return await signer.sign("/v1/messages", build_body(request, info))
        except UnicodeEncodeError as error:
            raise ProviderRefused("The request holds text that is not valid Unicode.") from error


async def _failure(answer: Answer, model: str) -> Exception:
    body = b""
    while len(body) < LARGEST_ERROR and (chunk := await answer.next_chunk()):
        body += chunk
    return failure_of_answer(answer.status, answer.headers, body, model=model)
