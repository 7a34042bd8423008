"""The contract as pages, complete and from here."""

from __future__ import annotations

import re

import aiohttp
import pytest

from homeport.operations.openapi30 import as_openapi30
from support.client import ask
from support.server import Server


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_page_when_opened_then_all_its_parts_come_from_this_server(
    server: Server, http: aiohttp.ClientSession, path: str
) -> None:
    page = await ask(http, "GET", server.base_url + path)
    text = await page.text()
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    parts = re.findall(r'(?:src|href)="(/[^"]+)"', text)
    assert len(parts) >= 2
    assert not re.search(r"<script>|\bstyle=|\son\w+=", text)
    for part in parts:
        answer = await ask(http, "GET", server.base_url + part)
        assert answer.status == 200
        assert answer.content_type in {"text/css", "text/javascript", "application/javascript"}


async def test_asset_when_it_is_not_part_of_the_pages_then_404(
    server: Server, http: aiohttp.ClientSession
) -> None:
    for name in ("index.html", "..%2f__init__.py", "%2e%2e/settings.py"):
        assert (await ask(http, "GET", f"{server.base_url}/docs/{name}")).status == 404


async def test_openapi_when_served_then_it_is_3_1_and_for_swagger_3_0(
    server: Server, http: aiohttp.ClientSession
) -> None:
    new = await (await ask(http, "GET", f"{server.base_url}/openapi.json")).json()
    old = await (await ask(http, "GET", f"{server.base_url}/docs/openapi-3.0.json")).json()
    assert new["openapi"].startswith("3.1")
    assert old["openapi"].startswith("3.0")
    assert set(new["paths"]) == set(old["paths"]) >= {"/health", "/livez", "/readyz"}
    assert '"null"' not in str(old).replace("'", '"')


def test_openapi30_when_the_words_are_new_then_the_old_ones_are_used() -> None:
    schema = {
        "a": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}], "title": "A"},
        "b": {"anyOf": [{"$ref": "#/x"}, {"type": "null"}]},
        "c": {"const": "x"},
        "d": {"type": "integer", "exclusiveMinimum": 0},
        "e": {"type": "string", "examples": ["one", "two"]},
    }
    assert as_openapi30(schema) == {
        "a": {"type": "string", "maxLength": 3, "title": "A", "nullable": True},
        "b": {"anyOf": [{"$ref": "#/x"}], "nullable": True},
        "c": {"enum": ["x"]},
        "d": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
        "e": {"type": "string", "example": "one"},
        "openapi": "3.0.3",
    }
