"""The contract as pages, complete and from here."""

from __future__ import annotations

import re

import aiohttp
import pytest

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
    assert not re.search(r"<script>|\bstyle=|\son\w+=", text)
    parts = set(re.findall(r'(?:src|href)="(/[^"]+)"', text))
    assert len(parts) >= 2
    seen: set[str] = set()
    while unseen := parts - seen:
        seen.add(part := unseen.pop())
        answer = await ask(http, "GET", server.base_url + part)
        assert answer.status == 200
        assert answer.content_type == ("text/css" if part.endswith(".css") else "text/javascript")
        parts |= set(re.findall(r'\bfrom "([^"]+)"', await answer.text()))


async def test_asset_when_it_is_not_part_of_the_pages_then_404(
    server: Server, http: aiohttp.ClientSession
) -> None:
    for name in ("index.html", "..%2f__init__.py", "%2e%2e/settings.py"):
        assert (await ask(http, "GET", f"{server.base_url}/docs/{name}")).status == 404


async def test_openapi_when_served_then_it_is_3_1(
    server: Server, http: aiohttp.ClientSession
) -> None:
    document = await (await ask(http, "GET", f"{server.base_url}/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    # Two models of one name are told apart by their modules, which are nobody's business.
    assert [name for name in document["components"]["schemas"] if "__" in name] == []
    assert set(document["paths"]) >= {"/health", "/livez", "/readyz"}
