"""An answer that lasts is given at the edge, when everything below it has returned."""

from __future__ import annotations

from collections.abc import Iterator

import aiohttp
import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from homeport.app import layers
from homeport.kernel.errors import Conflict
from homeport.kernel.http.errors import install_error_handlers
from homeport.kernel.http.middleware.exchange import answer_at_edge
from homeport.settings import Settings
from support.asgi import served
from support.client import ask

router = APIRouter()


class Lasting(Response):
    """Says what it still sees of the request."""

    def __init__(self, below: list[str], *, failing: bool) -> None:
        super().__init__()
        self._below = below
        self._failing = failing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tail(_receive: Receive, send: Send) -> None:
            if self._failing:
                raise Conflict("Too late.")
            seen = ",".join([*self._below, *sorted(name for name in scope if "fastapi" in name)])
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": seen.encode()})

        await answer_at_edge(scope, receive, send, tail)


@router.get("/v1/lasting")
async def lasting(request: Request, *, failing: bool = False) -> Response:
    below: list[str] = request.app.state.below
    return Lasting(below, failing=failing)


class Below:
    """A layer under the edge that notes when it returns."""

    def __init__(self, app: ASGIApp, *, notes: list[str]) -> None:
        self._app = app
        self._notes = notes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        self._notes.append("returned")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    notes: list[str] = []
    app = FastAPI(
        middleware=[*layers(Settings(rate_limit_enabled=False)), Middleware(Below, notes=notes)]
    )
    app.state.below = notes
    app.include_router(router)
    install_error_handlers(app)
    with served(app) as base_url:
        yield base_url


async def test_answer_when_it_lasts_then_the_layers_below_the_edge_have_returned(
    http: aiohttp.ClientSession, address: str
) -> None:
    answer = await ask(http, "GET", f"{address}/v1/lasting")
    assert await answer.text() == "returned"
    assert answer.headers["X-Request-ID"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_answer_when_it_fails_before_its_first_byte_then_it_is_the_error_document(
    http: aiohttp.ClientSession, address: str
) -> None:
    answer = await ask(http, "GET", f"{address}/v1/lasting?failing=true")
    assert answer.status == 409
    assert answer.headers["content-type"] == "application/problem+json"
    document = await answer.json(content_type=None)
    assert document["detail"] == "Too late."
    assert document["request_id"] == answer.headers["X-Request-ID"]
