"""The contract as a page to read, search and try: it comes from here, and nothing from a CDN.

It has two addresses, the ones that people try.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from homeport.kernel.errors import NotFound

PAGES = Path(__file__).parent / "pages"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
PAGE = "reference.html"
ASSETS = frozenset({"attempt.js", "element.js", "outline.js", "reference.css", "reference.js"})
KINDS = {".css": "text/css", ".js": "text/javascript"}

router = APIRouter(include_in_schema=False)


class NoSuchAsset(NotFound):
    """The pages have no such part."""

    code = "docs.not-found"
    title = "The pages have no such part"


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The published contract (OpenAPI 3.1)."""
    describe: Callable[[], dict[str, Any]] = request.app.openapi
    return Response(orjson.dumps(describe()), media_type="application/json")


@router.get("/docs")
@router.get("/redoc")
async def docs() -> Response:
    """The reference: read, search, print, try."""
    headers = {"content-security-policy": POLICY}
    return Response(_content(PAGES / PAGE), media_type="text/html", headers=headers)


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    """A script or a style of the pages.

    Raises:
        NoSuchAsset: The pages have no such part.
    """
    if name not in ASSETS:
        raise NoSuchAsset
    return Response(_content(PAGES / name), media_type=KINDS[Path(name).suffix])


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()
