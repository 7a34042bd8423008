"""Pages that look like a listed one get nothing: no header lets their scripts read an answer."""

from __future__ import annotations

import aiohttp
import pytest

from support.client import ask
from support.server import Server

LISTED = "http://localhost:3000"
HOSTILE = (
    "https://evil.example",
    "null",
    "*",
    "http://localhost",
    "http://localhost:3001",
    "http://localhost:30000",
    "http://localhost:3000.evil.example",
    "http://localhost:3000@evil.example",
    "http://evil.example/http://localhost:3000",
    "http://localhost:3000/",
    "http://localhost:3000/path",
    "http://localhost:3000#",
    "http://localhost:3000?",
    "https://localhost:3000",
    "HTTP://LOCALHOST:3000",
    "http://LOCALHOST:3000",
    "http://localhost.:3000",
    "http://notlocalhost:3000",
    "http://sub.localhost:3000",
    "http://127.0.0.1:3000",
    "http://[::1]:3000",
    "http://localhost:03000",
    "http://lоcalhost:3000",  # noqa: RUF001 - a Cyrillic letter is the point
    "http://localhost%3A3000",
    "http://localhost:3000 http://evil.example",
    "http://localhost:3000,http://evil.example",
    "http://localhost :3000",
    "capacitor://localhost.evil.example",
    "capacitor://localhost:80",
    "capacitor://LOCALHOST",
    "capacitor:localhost",
    "ionic://localhost/",
    "file://",
    "app://",
)


@pytest.mark.requirement("31")
@pytest.mark.parametrize("origin", HOSTILE)
async def test_origin_when_it_only_looks_like_a_listed_one_then_its_page_reads_nothing(
    http: aiohttp.ClientSession, server: Server, origin: str
) -> None:
    url = f"{server.base_url}/v1/auth/me"
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for method, headers in (("GET", {"Origin": origin}), ("OPTIONS", preflight)):
        answer = await ask(http, method, url, headers=headers)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert "Origin" in answer.headers["Vary"]
        assert answer.status in {401, 403}


@pytest.mark.requirement("31")
async def test_origin_when_it_is_listed_then_its_page_alone_reads_the_answer(
    http: aiohttp.ClientSession, server: Server
) -> None:
    answer = await ask(http, "GET", f"{server.base_url}/health", headers={"Origin": LISTED})
    assert answer.headers["Access-Control-Allow-Origin"] == LISTED
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]
