"""Models as the API shows them: OpenAI's members, Anthropic's, and those of the old clients."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from homeport.kernel.clock import rfc3339
from homeport.providers.port import ModelInfo


class ModelPermission(BaseModel):
    """What OpenAI's API used to say about a model; kept for clients that decode it."""

    id: str = "modelperm-default"
    object: str = "model_permission"
    created: int
    allow_create_engine: bool = False
    allow_sampling: bool = True
    allow_logprobs: bool = True
    allow_search_indices: bool = False
    allow_view: bool = True
    allow_fine_tuning: bool = False
    organization: str = "*"
    group: str | None = None
    is_blocking: bool = False


class ModelView(BaseModel):
    """A model; `created` in seconds since 1970."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    permission: list[ModelPermission]
    root: str
    parent: str | None = None
    type: Literal["model"] = "model"
    display_name: str
    created_at: str


class ModelList(BaseModel):
    """Every listed model, the default one first."""

    object: Literal["list"] = "list"
    data: list[ModelView]
    has_more: bool = False
    first_id: str
    last_id: str


class PricingView(BaseModel):
    """USD per million tokens."""

    input: float
    output: float
    cache_read: float
    cache_write: float


class CapabilityView(BaseModel):
    """What a model can do. Old clients read the camel-case twins, which ride along unlisted."""

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    description: str
    max_tokens: int
    context_window: int
    supports_streaming: bool
    supports_tools: bool
    supports_vision: bool
    supports_thinking: bool
    pricing: PricingView


class CapabilityList(BaseModel):
    """The same list under both names that clients look for."""

    models: list[CapabilityView]
    data: list[CapabilityView]


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def view_model(info: ModelInfo) -> ModelView:
    """A model as `/v1/models` shows it."""
    created = _seconds(info.created)
    return ModelView(
        id=info.id,
        created=created,
        owned_by=info.owned_by,
        permission=[ModelPermission(created=created)],
        root=info.id,
        display_name=info.display_name,
        created_at=rfc3339(info.created),
    )


def view_capability(info: ModelInfo) -> CapabilityView:
    """A model as `/v1/models/capabilities` shows it."""
    pricing = info.pricing
    members: dict[str, object] = {
        "max_tokens": info.max_output_tokens,
        "context_window": info.context_window,
        "supports_streaming": info.supports_streaming,
        "supports_tools": info.supports_tools,
        "supports_vision": info.supports_vision,
        "supports_thinking": info.supports_thinking,
    }
    twins = {_camel_case(name): value for name, value in members.items()}
    return CapabilityView.model_validate(
        {
            **members,
            **twins,
            "id": info.id,
            "name": info.display_name,
            "description": info.description,
            "pricing": PricingView(
                input=pricing.input,
                output=pricing.output,
                cache_read=pricing.cache_read,
                cache_write=pricing.cache_write,
            ),
        }
    )


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
