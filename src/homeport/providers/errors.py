"""How a model call fails. Retrying belongs to the caller; these carry what it needs to decide.

ProviderError                 the provider failed (its 5xx, or an answer that makes no sense)
├── ProviderRateLimited       too often, too much; `retry_after` says how long
├── ProviderOverloaded        the provider is busy
├── ProviderCredentials       the key is missing, wrong, not allowed or not paid for
├── ProviderTimeout           silence for the idle time
├── ProviderInterrupted       the connection broke, or what came could not be read
└── ProviderRefused           the request itself is wrong
UnknownModel                  no provider serves a model of that name
"""

from __future__ import annotations

from typing import Any, ClassVar

from homeport.kernel.errors import (
    Invalid,
    NotFound,
    RateLimited,
    TimedOut,
    Unavailable,
    Upstream,
)


class ProviderError(Upstream):
    """A model call failed.

    Args:
        detail: One sentence; never the key.
        started: Whether a part of the answer had arrived: then a retry is a new attempt whose text
            differs, and only the caller knows whether that is allowed.
        retryable: Whether the same request may succeed later; None for the class's own answer.
        retry_after: Seconds that the provider asks to wait.
        members: More for the error document.
    """

    code = "provider.failed"
    title = "The model provider failed"
    transient: ClassVar[bool] = True

    def __init__(
        self,
        detail: str | None = None,
        *,
        started: bool = False,
        retryable: bool | None = None,
        retry_after: float | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail, retry_after=retry_after, **members)
        self.started = started
        self.retryable = self.transient if retryable is None else retryable


class ProviderRateLimited(RateLimited, ProviderError):
    """Too often, or too many tokens, for the provider's limits."""

    code = "provider.rate-limited"
    title = "The model provider's rate limit is reached"


class ProviderOverloaded(Unavailable, ProviderError):
    """The provider has no capacity at the moment."""

    code = "provider.overloaded"
    title = "The model provider is overloaded"


class ProviderCredentials(ProviderError):
    """The key is missing, wrong, not allowed to do this, or not paid for."""

    code = "provider.credentials"
    title = "The model provider does not accept the server's key"
    transient = False


class ProviderTimeout(TimedOut, ProviderError):
    """Nothing arrived for the idle time, before the answer's first byte or within it."""

    code = "provider.timeout"
    title = "The model provider did not answer in time"


class ProviderInterrupted(ProviderError):
    """The answer broke off, or could not be read any further."""

    code = "provider.interrupted"
    title = "The model's answer broke off"


class ProviderRefused(Invalid, ProviderError):
    """The provider calls the request itself wrong: sending it again will not help."""

    code = "provider.refused"
    title = "The model provider refused the request"
    transient = False


class UnknownModel(NotFound):
    """No provider serves a model of that name."""

    code = "model.not-found"
    title = "No such model"
