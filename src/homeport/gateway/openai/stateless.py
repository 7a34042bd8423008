"""One model call with nothing behind it: OpenAI's semantics; usage is recorded, text is not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal

import structlog

from homeport.eventlog import EventLog
from homeport.eventlog.catalogue.run import UsageRecorded
from homeport.kernel.errors import HomeportError
from homeport.providers.catalogue import cost
from homeport.providers.errors import ProviderInterrupted
from homeport.providers.port import (
    Completed,
    ModelInfo,
    ModelRequest,
    Provider,
    ProviderEvent,
    Usage,
    UsageSeen,
)

_logger = structlog.get_logger(__name__)


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
        self._status: Literal["completed", "failed", "cancelled"] = "failed"
        self._ended = False

    @property
    def cost_usd(self) -> float:
        """What it cost so far."""
        return float(cost(self.usage, self.model))

    async def events(self) -> AsyncGenerator[ProviderEvent, None]:
        """What the model says, its completion last. To be read once.

        Raises:
            ProviderError: The call failed, or broke off.
        """
        async with aclosing(self._stream) as stream:
            async for event in stream:
                if isinstance(event, UsageSeen | Completed):
                    self.usage = event.usage
                yield event
                if isinstance(event, Completed):
                    self._status = "completed"
                    return
        raise ProviderInterrupted("The answer ended without its close.")

    def cancel(self) -> None:
        """Notes that nobody waits for the answer any more."""
        self._status = "cancelled"

    async def end(self) -> None:
        """Records the usage, once, whether the answer was whole or not."""
        if self._ended:
            return
        self._ended = True
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
        try:
            async with self._log.unit(stream) as unit:
                unit.append(stream, recorded, actor=f"user:{self._user_id}")
        except HomeportError as error:
            # The answer is paid for and may have been sent: it is not taken back for its account.
            _logger.exception(
                "usage.unrecorded",
                code=error.code,
                user_id=self._user_id,
                **recorded.model_dump(mode="json"),
            )
