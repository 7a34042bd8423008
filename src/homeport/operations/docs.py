"""The contract as pages: everything comes from this server, nothing from a CDN.

`/docs` is Swagger UI out of its wheel; `/redoc` is one page of our own that only reads.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import swagger_ui_bundle
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from homeport.kernel.errors import NotFound
from homeport.operations.openapi30 import as_openapi30

PAGES = Path(__file__).parent / "pages"
SWAGGER = Path(swagger_ui_bundle.swagger_ui_path)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
ASSETS = {
    "swagger-ui.css": SWAGGER / "swagger-ui.css",
    "swagger-ui-bundle.js": SWAGGER / "swagger-ui-bundle.js",
    "swagger.js": PAGES / "swagger.js",
    "reference.css": PAGES / "reference.css",
    "reference.js": PAGES / "reference.js",
}

router = APIRouter(include_in_schema=False)


class NoSuchAsset(NotFound):
    """The pages have no such part."""

    code = "docs.not-found"
    title = "The pages have no such part"


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The published contract (OpenAPI 3.1)."""
    return Response(orjson.dumps(_document(request)), media_type="application/json")


@router.get("/docs/openapi-3.0.json")
async def openapi30(request: Request) -> Response:
    """The contract in the words of OpenAPI 3.0, which is what Swagger UI 4 reads."""
    return Response(orjson.dumps(as_openapi30(_document(request))), media_type="application/json")


@router.get("/docs")
async def docs() -> Response:
    """Swagger UI: read and try."""
    return _page("swagger.html")


@router.get("/redoc")
async def redoc() -> Response:
    """The reference: read, search, print."""
    return _page("reference.html")


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    """A script or a style of the pages.

    Raises:
        NoSuchAsset: The pages have no such part.
    """
    path = ASSETS.get(name)
    if path is None:
        raise NoSuchAsset
    kind = mimetypes.guess_type(path.name)[0]
    return Response(_content(path), media_type=kind, headers={"cache-control": "max-age=3600"})


def _page(name: str) -> Response:
    headers = {"content-security-policy": POLICY}
    return Response(_content(PAGES / name), media_type="text/html", headers=headers)


def _document(request: Request) -> dict[str, Any]:
    describe: Callable[[], dict[str, Any]] = request.app.openapi
    return describe()


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()
