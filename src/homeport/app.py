"""The application: routers, the error mapper, and the layers that every request passes."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.middleware import Middleware

from homeport import __version__
from homeport.kernel.http.errors import install_error_handlers
from homeport.kernel.http.middleware import CORS, Bodies, Edge, Hosts, Rates, Targets
from homeport.kernel.http.middleware.edge import QUIET_PATHS
from homeport.kernel.http.openapi import describe
from homeport.kernel.http.provide import Services
from homeport.kernel.http.routes import routes_of
from homeport.settings import Settings
from homeport.wiring.credentials import CREDENTIALS
from homeport.wiring.house import House
from homeport.wiring.opening import open_house
from homeport.wiring.routes import DEVELOPMENT_ROUTERS, ROUTERS
from homeport.wiring.rules import PUBLIC_PATHS, rules_of

DESCRIPTION = "Drive a coding agent from any device, and lose nothing of what it says or does."
ENVELOPE = 1 << 16  # bytes around a file in JSON
STREAMS = re.compile(r"/v1/sessions/[^/]+/(?:stream|events)")
WITH_TOKEN = frozenset({"/v1/auth/refresh", "/v1/auth/device/token"})


def create_app(settings: Settings, *, house: House | None = None) -> FastAPI:
    """The application.

    Args:
        settings: Where and how it serves.
        house: The opened house. Without it the app opens one in its lifespan, so that any ASGI
            server can run it.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with open_house(settings) as opened:
            _furnish(app, opened)
            yield
            await opened.drain()

    pages = DEVELOPMENT_ROUTERS if settings.environment != "production" else ()
    routers = (*ROUTERS, *pages)
    rules_of(routers)  # a route about which nothing is said is not served
    app = FastAPI(
        title="Homeport",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        routes=routes_of(routers),
        middleware=layers(settings),
        lifespan=None if house is not None else lifespan,
    )
    install_error_handlers(app)
    app.openapi = partial(describe, app)
    if house is not None:
        _furnish(app, house)
    return app


def layers(settings: Settings) -> list[Middleware]:
    """What every request passes, outermost first."""
    https = (settings.public_url or "").startswith("https://")
    # Base64 makes four bytes out of three.
    file_body = settings.max_file_size * 4 // 3 + ENVELOPE
    rates = [
        Middleware(
            Rates,
            exempt=QUIET_PATHS,
            public=PUBLIC_PATHS,
            streams=STREAMS,
            with_token=WITH_TOKEN,
            credentials=CREDENTIALS,
        )
    ]
    if not settings.rate_limit_enabled:
        rates.clear()
    return [
        Middleware(Edge, https=https),
        Middleware(
            Hosts,
            listen=settings.host,
            public_url=settings.public_url,
            trusted=settings.trusted_hosts,
            probes=frozenset({"/livez", "/readyz"}),
        ),
        Middleware(CORS, origins=settings.cors_origins, public_url=settings.public_url),
        Middleware(Targets),
        *rates,
        Middleware(Bodies, limit=settings.max_request_size, larger={"/v1/files/": file_body}),
    ]


def _furnish(app: FastAPI, house: House) -> None:
    app.state.services = Services(house.services)
