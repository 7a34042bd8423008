"""What an operator, a load balancer and an old client are told."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import aiohttp
import pytest
from fastapi import FastAPI

from homeport.app import layers
from homeport.kernel.errors import Unavailable
from homeport.kernel.http.draining import Draining
from homeport.kernel.http.errors import install_error_handlers
from homeport.kernel.http.provide import Services
from homeport.operations import Finding, Operations
from homeport.operations.router import router
from homeport.settings import Settings
from support.asgi import served
from support.client import ask
from support.server import Server


async def good() -> Finding:
    return Finding(ok=True, detail={"kind": "good"})


async def unavailable() -> Finding:
    raise Unavailable("the disk at /secret/place is gone")


async def refused() -> Finding:
    return Finding(ok=False, detail={"remedy": "sudo install something"})


async def two() -> int:
    return 2


def application(operations: Operations) -> FastAPI:
    app = FastAPI(middleware=layers(Settings(rate_limit_enabled=False)))
    install_error_handlers(app)
    app.include_router(router)
    app.state.services = Services({Operations: operations})
    return app


async def test_health_when_asked_then_all_six_legacy_members_are_there(
    server: Server, http: aiohttp.ClientSession
) -> None:
    body = await (await ask(http, "GET", f"{server.base_url}/health")).json()
    assert set(body) == {
        "ok",
        "status",
        "version",
        "timestamp",
        "active_sessions",
        "uptime_seconds",
    }
    assert body["ok"] is True
    assert body["status"] == "healthy"


async def test_readyz_when_everything_works_then_each_component_says_so(
    server: Server, http: aiohttp.ClientSession
) -> None:
    answer = await ask(http, "GET", f"{server.base_url}/readyz")
    components = (await answer.json())["components"]
    assert answer.status == 200
    assert components["database"] == {"ok": True, "detail": {"kind": "sqlite"}}
    assert components["migrations"]["ok"]


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_probe_when_it_is_a_head_request_then_it_is_answered(
    server: Server, http: aiohttp.ClientSession, path: str
) -> None:
    assert (await ask(http, "HEAD", server.base_url + path)).status == 200


async def test_readyz_when_components_fail_then_503_names_them_and_no_secret(
    http: aiohttp.ClientSession,
) -> None:
    operations = Operations(
        version="1",
        checks={"good": good, "gone": unavailable, "refused": refused},
        active_sessions=two,
        draining=Draining(),
        reveal=True,
    )
    with served(application(operations)) as url:
        answer = await ask(http, "GET", f"{url}/readyz")
        body = await answer.json(content_type="application/problem+json")
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "5"
        assert body["components"] == {
            "good": {"ok": True, "detail": {"kind": "good"}},
            "gone": {"ok": False, "detail": {}},
            "refused": {"ok": False, "detail": {"remedy": "sudo install something"}},
        }
        assert "gone, refused" in body["detail"]
        assert "/secret" not in await answer.text()
        assert (await (await ask(http, "GET", f"{url}/health")).json())["active_sessions"] == 2


async def test_readyz_when_a_check_hangs_then_it_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("homeport.operations.state.CHECK_S", 0.05)

    async def hangs() -> Finding:
        await asyncio.sleep(60)
        return Finding(ok=True)

    operations = Operations(
        version="1",
        checks={"slow": hangs},
        active_sessions=two,
        draining=Draining(),
        reveal=True,
    )
    assert await operations.findings() == {"slow": Finding(ok=False)}


async def test_readyz_when_the_server_is_about_to_end_then_no_work_is_sent_here(
    http: aiohttp.ClientSession,
) -> None:
    draining = Draining()
    operations = Operations(
        version="1", checks={"good": good}, active_sessions=two, draining=draining, reveal=False
    )
    with served(application(operations)) as url:
        before = await (await ask(http, "GET", f"{url}/readyz")).json()
        assert before["components"] == {"good": {"ok": True, "detail": {}}}
        draining.begin()
        assert (await ask(http, "GET", f"{url}/readyz")).status == 503
        assert (await ask(http, "GET", f"{url}/livez")).status == 200
        assert (await (await ask(http, "GET", f"{url}/health")).json())["status"] == "draining"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /livez HTTP/1.0\r\n", 200),
        (b"GET /readyz HTTP/1.0\r\n", 200),
        (b"GET /health HTTP/1.0\r\n", 400),
        (b"GET /livez HTTP/1.1\r\n", 400),
        (b"GET /livez HTTP/1.0\r\nHost: evil.example\r\n", 400),
        (b"GET /livez HTTP/1.0\r\nHost:\r\n", 400),
    ],
)
async def test_probe_when_asked_without_a_host_then_only_http_1_0_is_answered(
    server: Server, head: bytes, status: int
) -> None:
    at = urlsplit(server.base_url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(head + b"Connection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), timeout=60)
    writer.close()
    assert int(answer.split(b" ", 2)[1]) == status, answer
