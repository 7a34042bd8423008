"""What every request meets, over a real socket: errors, headers, limits, names, prefixes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import aiohttp
import pytest
import structlog
from fastapi import APIRouter, FastAPI, Query
from pydantic import BaseModel, ConfigDict, SecretStr
from starlette.requests import Request
from starlette.responses import StreamingResponse

from homeport.app import layers
from homeport.cli.openapi import contract
from homeport.kernel.errors import Conflict, RateLimited, Unauthenticated
from homeport.kernel.http.errors import install_error_handlers
from homeport.kernel.ids import is_id
from homeport.settings import Settings
from support.asgi import served
from support.client import ask
from support.server import Server

LIMIT = 4_096
FORM = "application/x-www-form-urlencoded"
router = APIRouter()


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    password: SecretStr | None = None
    count: int = 0


class Taken(Conflict):
    code = "thing.taken"
    title = "The thing is taken"


@router.post("/v1/things")
async def make_thing(thing: Thing) -> dict[str, str]:
    return {"name": thing.name}


@router.get("/v1/things")
async def list_things(q: Annotated[str, Query()] = "", n: int = 0) -> dict[str, Any]:
    return {"q": q, "n": n}


@router.get("/v1/taken")
async def taken() -> None:
    raise Taken("Somebody was faster.", param="name", holder="ada")


@router.get("/v1/limited")
async def limited() -> None:
    raise RateLimited(retry_after=1.2)


@router.get("/v1/anonymous")
async def anonymous() -> None:
    raise Unauthenticated


@router.get("/v1/mistake")
async def mistake() -> None:
    raise ValueError("SELECT secret FROM /etc/passwd")


@router.post("/v1/raw")
async def raw(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@router.get("/v1/broken-stream")
async def broken_stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.sleep(0)
        raise ValueError("in the middle")

    return StreamingResponse(parts())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    settings = Settings(
        max_request_size=LIMIT,
        rate_limit_enabled=False,
        trusted_hosts=("*.example.com", "home.test"),
        cors_origins=("https://app.test",),
    )
    app = FastAPI(middleware=layers(settings), openapi_url=None)
    install_error_handlers(app)
    app.include_router(router)
    with served(app) as address:
        yield address


async def document(answer: aiohttp.ClientResponse, status: int, code: str) -> dict[str, Any]:
    """Checks that the answer is the one error document, and returns it."""
    assert answer.status == status, await answer.text()
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = await answer.json(content_type=None)
    assert body["type"] == f"urn:homeport:error:{code}"
    assert body["status"] == body["error"]["status"] == status
    assert body["error"]["code"] == code
    assert body["detail"] == body["error"]["message"]
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert set(body) >= {"type", "title", "status", "detail", "instance", "request_id", "error"}
    assert set(body["error"]) == {"code", "type", "message", "status", "param", "details"}
    return body


@pytest.mark.requirement("49")
async def test_error_when_raised_by_the_domain_then_the_document_has_its_members(
    url: str, http: aiohttp.ClientSession
) -> None:
    body = await document(await ask(http, "GET", f"{url}/v1/taken?x=1"), 409, "thing.taken")
    assert body["holder"] == "ada"
    assert body["instance"] == "/v1/taken"
    assert body["error"]["param"] == "name"
    assert body["error"]["type"] == "conflict_error"


async def test_error_when_it_may_be_retried_then_the_header_says_when(
    url: str, http: aiohttp.ClientSession
) -> None:
    answer = await ask(http, "GET", f"{url}/v1/limited")
    await document(answer, 429, "rate-limited")
    assert answer.headers["Retry-After"] == "2"


async def test_error_when_nobody_is_signed_in_then_the_scheme_is_named(
    url: str, http: aiohttp.ClientSession
) -> None:
    answer = await ask(http, "GET", f"{url}/v1/anonymous")
    await document(answer, 401, "auth.required")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.requirement("49")
async def test_error_when_the_payload_does_not_fit_then_it_names_places_and_echoes_nothing(
    url: str, http: aiohttp.ClientSession
) -> None:
    sent = {"count": "s3cr3t-value", "password": ["hunter2hunter2"], "surplus": "x-marks"}
    answer = await ask(http, "POST", f"{url}/v1/things", json=sent)
    body = await document(answer, 422, "request.unprocessable")
    places = {tuple(detail["loc"]): detail["type"] for detail in body["error"]["details"]}
    assert places == {
        ("body", "name"): "missing",
        ("body", "password"): "string_type",
        ("body", "count"): "int_parsing",
        ("body", "surplus"): "extra_forbidden",
    }
    text = await answer.text()
    assert not any(secret in text for secret in ("s3cr3t-value", "hunter2", "x-marks"))


async def test_error_when_a_query_does_not_fit_then_it_is_422(
    url: str, http: aiohttp.ClientSession
) -> None:
    body = await document(
        await ask(http, "GET", f"{url}/v1/things?n=x"), 422, "request.unprocessable"
    )
    assert body["error"]["param"] == "n"


@pytest.mark.requirement("49")
async def test_error_when_nobody_foresaw_it_then_the_log_has_the_id_and_the_answer_no_detail(
    url: str, http: aiohttp.ClientSession
) -> None:
    with structlog.testing.capture_logs() as lines:
        answer = await ask(http, "GET", f"{url}/v1/mistake")
    body = await document(answer, 500, "internal")
    (line,) = [line for line in lines if line.get("error_id") == body["error_id"]]
    assert isinstance(line["exc_info"], ValueError)
    text = await answer.text()
    assert not any(word in text for word in ("SELECT", "passwd", "ValueError", "Traceback"))


async def test_error_when_the_answer_has_begun_then_the_end_is_missing(
    url: str, http: aiohttp.ClientSession
) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask(http, "GET", f"{url}/v1/broken-stream")


@pytest.mark.requirement("37")
@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "TRACE", "OPTIONS"])
async def test_method_when_it_is_not_offered_then_405_names_those_that_are(
    url: str, http: aiohttp.ClientSession, method: str
) -> None:
    answer = await ask(http, method, f"{url}/v1/taken")
    await document(answer, 405, "request.method-not-allowed")
    assert answer.headers["Allow"] == "GET"


@pytest.mark.requirement("46")
@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a", "name": "b"}',
        b'{"name": "\\ud800"}',
        b'{"name": "a", "count": NaN}',
        b'{"name": "a", "count": ' + b"9" * 3_000 + b"}",
        b"[" * 2_000 + b"]" * 2_000,
        b'{"name": "\\u0000"}',
        b"{",
        b"\xff",
    ],
)
async def test_json_when_it_has_no_one_reading_then_400(
    url: str, http: aiohttp.ClientSession, body: bytes
) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = await ask(http, "POST", f"{url}/v1/things", data=body, headers=headers)
    await document(answer, 400, "request.malformed-json")


async def test_json_when_it_is_good_then_the_route_reads_it(
    url: str, http: aiohttp.ClientSession
) -> None:
    answer = await ask(http, "POST", f"{url}/v1/things", json={"name": "café 😀"})
    assert await answer.json() == {"name": "café 😀"}


async def test_body_when_its_declared_length_is_over_the_limit_then_413(
    url: str, http: aiohttp.ClientSession
) -> None:
    answer = await ask(http, "POST", f"{url}/v1/raw", data=b"x" * (LIMIT + 1))
    body = await document(answer, 413, "request.too-large")
    assert body["limit"] == LIMIT


@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream"])
async def test_body_when_it_comes_in_chunks_without_a_length_then_it_is_counted(
    url: str, http: aiohttp.ClientSession, kind: str
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 1_000 + 1):
            yield b" " * 1_000

    answer = await ask(http, "POST", f"{url}/v1/raw", data=chunks(), headers={"Content-Type": kind})
    await document(answer, 413, "request.too-large")


async def test_body_when_it_is_exactly_the_limit_then_it_passes(
    url: str, http: aiohttp.ClientSession
) -> None:
    answer = await ask(http, "POST", f"{url}/v1/raw", data=b"x" * LIMIT)
    assert await answer.json() == {"bytes": LIMIT}


async def test_body_when_it_is_compressed_then_415(url: str, http: aiohttp.ClientSession) -> None:
    headers = {"Content-Encoding": "gzip"}
    answer = await ask(http, "POST", f"{url}/v1/raw", data=b"x", headers=headers)
    await document(answer, 415, "request.encoded-body")


@pytest.mark.requirement("35")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/things"),
        ("GET", "/nowhere"),
        ("GET", "/v1/mistake"),
        ("GET", "/v1/limited"),
        ("POST", "/v1/taken"),
        ("GET", "/v1/things?q=%00"),
    ],
)
async def test_headers_when_anything_is_answered_then_they_are_all_there(
    url: str, http: aiohttp.ClientSession, method: str, path: str
) -> None:
    headers = (await ask(http, method, url + path)).headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert float(headers["X-Process-Time"]) >= 0
    assert headers["Server-Timing"].startswith("app;dur=")
    assert "Server" not in headers
    assert "Strict-Transport-Security" not in headers  # RFC 6797 7.2: never over plain HTTP


@pytest.mark.requirement("35")
async def test_headers_when_people_come_over_tls_then_transport_is_strict(
    http: aiohttp.ClientSession,
) -> None:
    app = FastAPI(
        middleware=layers(Settings(public_url="https://home.test", rate_limit_enabled=False))
    )
    install_error_handlers(app)
    with served(app) as address:
        answer = await ask(http, "GET", f"{address}/nowhere")
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("given", ["abcdefgh", "A-1_b.c9" * 8])
async def test_request_id_when_it_is_well_formed_then_it_is_echoed(
    url: str, http: aiohttp.ClientSession, given: str
) -> None:
    answer = await ask(http, "GET", f"{url}/v1/things", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given", ["short", "x" * 65, "has space", "<script>alert(1)</script>", "é" * 8]
)
async def test_request_id_when_it_is_not_then_it_is_replaced(
    url: str, http: aiohttp.ClientSession, given: str
) -> None:
    answer = await ask(http, "GET", f"{url}/v1/things", headers={"X-Request-ID": given})
    assert is_id(answer.headers["X-Request-ID"])


@pytest.mark.requirement("33")
@pytest.mark.parametrize(
    "host",
    ["evil.test", "a/?x=", "localhost.evil.test", "example.com.evil", "user@localhost", "", "a b"],
)
@pytest.mark.requirement("CVE-23")
async def test_host_when_it_is_not_ours_then_400(
    url: str, http: aiohttp.ClientSession, host: str
) -> None:
    headers = {"Host": host, "X-Forwarded-Host": "localhost"}
    await document(
        await ask(http, "GET", f"{url}/v1/things", headers=headers), 400, "request.host-refused"
    )


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:8000", "home.test", "a.example.com"]
)
async def test_host_when_it_is_ours_then_it_is_served(
    url: str, http: aiohttp.ClientSession, host: str
) -> None:
    assert (await ask(http, "GET", f"{url}/v1/things", headers={"Host": host})).status == 200


@pytest.mark.parametrize("path", ["/api/v1/things?q=a", "/api/things?q=a", "/v1/things%3Fq=a"])
async def test_path_when_an_old_client_asks_then_the_route_is_the_same(
    url: str, http: aiohttp.ClientSession, path: str
) -> None:
    answer = await ask(http, "GET", url + path, encoded=True)
    assert await answer.json() == {"q": "a", "n": 0}


async def test_path_when_a_question_mark_is_left_encoded_then_both_queries_count(
    url: str, http: aiohttp.ClientSession
) -> None:
    answer = await ask(http, "GET", f"{url}/api/v1/things%3Fn=3?q=b", encoded=True)
    assert await answer.json() == {"q": "b", "n": 3}


@pytest.mark.parametrize("path", ["/v1/things?q=%00", "/v1/%00", "/v1/things?q=" + "x" * 20_000])
async def test_target_when_it_cannot_be_meant_then_400(
    url: str, http: aiohttp.ClientSession, path: str
) -> None:
    await document(await ask(http, "GET", url + path), 400, "request.bad-target")


async def test_cors_when_the_origin_is_listed_then_its_page_may_read_also_errors(
    url: str, http: aiohttp.ClientSession
) -> None:
    for path in ("/v1/things", "/nowhere", "/v1/mistake"):
        answer = await ask(http, "GET", url + path, headers={"Origin": "https://app.test"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.test"
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin", ["null", "https://app.test.evil", "http://app.test", "https://app.test:444", "*"]
)
async def test_cors_when_the_origin_is_not_listed_then_nothing_is_allowed(
    url: str, http: aiohttp.ClientSession, origin: str
) -> None:
    answer = await ask(http, "GET", f"{url}/v1/things", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    refused = await ask(http, "OPTIONS", f"{url}/v1/things", headers=preflight)
    await document(refused, 403, "request.origin-refused")


async def test_cors_when_a_preflight_comes_from_a_listed_origin_then_it_says_what_is_allowed(
    url: str, http: aiohttp.ClientSession
) -> None:
    preflight = {
        "Origin": "https://app.test",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, x-stainless-lang",
    }
    answer = await ask(http, "OPTIONS", f"{url}/v1/things", headers=preflight)
    assert answer.status == 204
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, x-stainless-lang"


async def test_openapi_document_when_described_then_every_operation_declares_the_error() -> None:
    document = json.loads(contract())
    assert "ErrorDocument" in document["components"]["schemas"]
    for path in document["paths"].values():
        for operation in path.values():
            assert "default" in operation["responses"]


@pytest.mark.parametrize("kind", [None, "text/plain", FORM])
@pytest.mark.parametrize("path", ["/v1/auth/register", "/v1/auth/refresh", "/v1/auth/login"])
async def test_body_when_it_is_not_said_to_be_json_then_that_is_asked_and_nothing_is_echoed(
    server: Server, http: aiohttp.ClientSession, path: str, kind: str | None
) -> None:
    answer = await http.post(
        f"{server.base_url}{path}",
        data=b'{"email": "ada@example.org", "password": "hunter2-hunter2"}',
        headers={} if kind is None else {"Content-Type": kind},
        skip_auto_headers=["Content-Type"],
    )
    said = await answer.text()
    assert answer.status == (422 if path.endswith("login") and kind == FORM else 415)
    assert "hunter2" not in said
    assert "application/json" in said
