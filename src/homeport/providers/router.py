"""Which models there are, what they can do, and what they cost."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from homeport.identity.access import SignedIn
from homeport.kernel.http.provide import provided
from homeport.providers.models import Models
from homeport.providers.schemas import (
    CapabilityList,
    ModelList,
    ModelView,
    view_capability,
    view_model,
)

router = APIRouter(prefix="/v1/models", tags=["models"])
Offered = Annotated[Models, provided(Models)]


@router.get("")
async def list_models(models: Offered, caller: SignedIn) -> ModelList:  # noqa: ARG001
    """Every model that this server lists, the default one first."""
    data = [view_model(info) for info in models.all()]
    return ModelList(data=data, first_id=data[0].id, last_id=data[-1].id)


# Before the next route, which would take "capabilities" for a model.
@router.get("/capabilities")
async def list_capabilities(models: Offered, caller: SignedIn) -> CapabilityList:  # noqa: ARG001
    """What each model can do, and its price in USD per million tokens."""
    views = [view_capability(info) for info in models.all()]
    return CapabilityList(models=views, data=views)


@router.get("/{model_id}")
async def get_model(model_id: str, models: Offered, caller: SignedIn) -> ModelView:  # noqa: ARG001
    """One model, also one that is served without being listed."""
    return view_model(models.get(model_id)[1])
