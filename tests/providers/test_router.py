"""`/v1/models` over HTTP, as OpenAI's, Anthropic's and the old clients read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI

from homeport.identity.access import Caller, Callers
from homeport.identity.errors import CredentialRefused
from homeport.identity.roles import API_READ
from homeport.kernel.http.errors import install_error_handlers
from homeport.kernel.http.provide import Services
from homeport.providers import DEFAULT_MODEL, Models, offer_models
from homeport.providers.router import router
from support.asgi import served

HEADERS = {"Authorization": "Bearer good"}
MODEL_MEMBERS = {
    "id", "object", "created", "owned_by", "permission", "root", "parent", "type", "display_name",
    "created_at",
}  # fmt: skip


class OneCaller(Callers):
    """Knows one credential."""

    async def identify(self, credential: str, *, keys_only: bool) -> Caller:
        if credential != "good" or keys_only:
            raise CredentialRefused
        return Caller("u", "ann", frozenset({"user"}), frozenset({API_READ}))

    async def still_valid(self, caller: Caller) -> bool:
        return caller.user_id == "u"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(router)
    app.state.services = Services({Callers: OneCaller(), Models: offer_models(api_key="k")})
    with served(app) as base_url:
        yield base_url


async def get(http: aiohttp.ClientSession, url: str, **headers: str) -> tuple[int, dict[str, Any]]:
    async with http.get(url, headers=headers or HEADERS) as answer:
        return answer.status, await answer.json()


async def test_list_has_openais_and_anthropics_members(
    address: str, http: aiohttp.ClientSession
) -> None:
    status, body = await get(http, f"{address}/v1/models")
    assert status == 200
    assert set(body) == {"object", "data", "has_more", "first_id", "last_id"}
    ids = [model["id"] for model in body["data"]]
    assert (ids[0], ids[-1]) == (body["first_id"], body["last_id"]) == (DEFAULT_MODEL, "demo")
    assert len(set(ids)) == len(ids)
    for model in body["data"]:
        assert set(model) == MODEL_MEMBERS
        assert (model["object"], model["type"], model["root"]) == ("model", "model", model["id"])
        assert model["permission"][0]["object"] == "model_permission"


@pytest.mark.parametrize("model_id", [DEFAULT_MODEL, "demo", "claude-of-tomorrow"])
async def test_one_model_is_shown_listed_or_not(
    address: str, http: aiohttp.ClientSession, model_id: str
) -> None:
    status, body = await get(http, f"{address}/v1/models/{model_id}")
    assert (status, body["id"], set(body)) == (200, model_id, MODEL_MEMBERS)


async def test_unknown_model_is_not_found(address: str, http: aiohttp.ClientSession) -> None:
    status, body = await get(http, f"{address}/v1/models/gpt-9")
    assert (status, body["error"]["code"]) == (404, "model.not-found")


async def test_capabilities_have_prices_under_both_names_and_both_spellings(
    address: str, http: aiohttp.ClientSession
) -> None:
    status, body = await get(http, f"{address}/v1/models/capabilities")
    assert (status, set(body)) == (200, {"models", "data"})
    assert body["models"] == body["data"]
    opus = next(model for model in body["data"] if model["id"] == "claude-opus-5")
    assert opus["pricing"] == {"input": 5, "output": 25, "cache_read": 0.5, "cache_write": 6.25}
    assert (opus["name"], opus["max_tokens"], opus["context_window"]) == (
        "Claude Opus 5", 128_000, 1_000_000,
    )  # fmt: skip
    for model in body["data"]:
        assert model["description"]
        for name, twin in [
            ("max_tokens", "maxTokens"),
            ("context_window", "contextWindow"),
            ("supports_streaming", "supportsStreaming"),
            ("supports_tools", "supportsTools"),
            ("supports_vision", "supportsVision"),
        ]:
            assert model[name] == model[twin]


@pytest.mark.parametrize("path", ["", "/demo", "/capabilities"])
async def test_nobody_is_told_without_signing_in(
    address: str, http: aiohttp.ClientSession, path: str
) -> None:
    status, _ = await get(http, f"{address}/v1/models{path}", Authorization="Bearer bad")
    assert status == 401
    status, _ = await get(http, f"{address}/v1/models{path}", Accept="*/*")
    assert status == 401
