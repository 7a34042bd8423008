"""Language models behind one port. Importing this loads no provider's SDK."""

from __future__ import annotations

from homeport.providers.blocks import parse_input, to_wire
from homeport.providers.catalogue import DEFAULT_MODEL, cost
from homeport.providers.errors import (
    ProviderCredentials,
    ProviderError,
    ProviderInterrupted,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderRefused,
    ProviderTimeout,
    UnknownModel,
)
from homeport.providers.models import Models
from homeport.providers.offer import offer_models
from homeport.providers.port import (
    BlockDelta,
    BlockStarted,
    Completed,
    ModelInfo,
    ModelRequest,
    Pricing,
    Provider,
    ProviderEvent,
    Usage,
    UsageSeen,
)

__all__ = [
    "DEFAULT_MODEL",
    "BlockDelta",
    "BlockStarted",
    "Completed",
    "ModelInfo",
    "ModelRequest",
    "Models",
    "Pricing",
    "Provider",
    "ProviderCredentials",
    "ProviderError",
    "ProviderEvent",
    "ProviderInterrupted",
    "ProviderOverloaded",
    "ProviderRateLimited",
    "ProviderRefused",
    "ProviderTimeout",
    "UnknownModel",
    "Usage",
    "UsageSeen",
    "cost",
    "offer_models",
    "parse_input",
    "to_wire",
]
