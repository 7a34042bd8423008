"""Hears every request of every client in this process, and keeps the secrets that go either way.

What a page or a program of another process sends is heard where a test hands it over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import wraps
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qsl

import aiohttp
from yarl import URL

from support.canaries.seen import SEEN

ROUTES = ("/v1/auth", "/v1/user", "/v1/stream-tickets", "/setup")
"""Where secrets go in and out; elsewhere only a request's head has any."""
MEMBERS = {
    "password": "password",
    "current_password": "password",
    "new_password": "new password",
    "repeated": "new password",
    "access_token": "access token",
    "refresh_token": "refresh token",
    "api_key": "API key",
    "mfa_token": "half a sign-in",
    "device_code": "device code",
    "user_code": "user code",
    "invitation_code": "invitation code",
    "recovery_codes": "recovery code",
    "secret": "seed of an authenticator",
    "ticket": "stream ticket",
    "csrf_token": "CSRF token",
}
"""Members of bodies, by name."""
PASSWORDS = frozenset({"password", "new password"})
PASSWORD_MIN = 12
"""Characters of a password that nothing else says by chance."""
RECOVERY_CODE = re.compile(r"(?:[0-9a-z]{4}-){3}[0-9a-z]{4}", re.ASCII)
LARGEST = 1 << 16


def open_ears() -> None:
    """From now on every `aiohttp.ClientSession` of this process is heard."""
    make = aiohttp.ClientSession.__init__

    @wraps(make)
    def heard(
        self: aiohttp.ClientSession,
        *words: Any,
        trace_configs: list[aiohttp.TraceConfig] | None = None,
        **options: Any,
    ) -> None:
        make(self, *words, trace_configs=[*(trace_configs or ()), _ears()], **options)

    aiohttp.ClientSession.__init__ = heard  # pyright: ignore[reportAttributeAccessIssue] - the same, and one word more


def hear_body(place: str, body: bytes) -> None:
    """Keeps the secrets of a body, JSON or a form."""
    if not body or len(body) > LARGEST:
        return
    text = body.decode("utf-8", "replace")
    SEEN.add_looks(place, text)
    members = list(_members(_document(text)))
    others = [value for kind, value in members if not kind]
    for kind, value in members:
        if kind and not (kind in PASSWORDS and _stands_anywhere(value, others)):
            SEEN.add(place, kind, value)


def _stands_anywhere(password: str, others: list[str]) -> bool:
    """Whether a password is also found where nobody has put it: a short one, or a name."""
    poor = len(password) < PASSWORD_MIN or len(set(password)) < PASSWORD_MIN // 2
    return poor or any(password in other for other in others)


def _ears() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(_hear_head)
    trace.on_request_chunk_sent.append(_hear_sent)
    trace.on_response_chunk_received.append(_hear_answer)
    trace.on_request_end.append(_hear_answered)
    trace.freeze()
    return trace


async def _hear_head(
    _session: aiohttp.ClientSession,
    _context: SimpleNamespace,
    request: aiohttp.TraceRequestStartParams,
) -> None:
    place = _place(request.url)
    SEEN.add_looks(place, "\n".join([*request.headers.values(), request.url.query_string]))
    link = request.url.query.get("token")
    if link and request.url.path == "/setup":
        SEEN.add(place, "one-time link", link)


async def _hear_sent(
    _session: aiohttp.ClientSession,
    _context: SimpleNamespace,
    sent: aiohttp.TraceRequestChunkSentParams,
) -> None:
    _hear_if_secret(sent.url, sent.chunk)


async def _hear_answer(
    _session: aiohttp.ClientSession,
    _context: SimpleNamespace,
    answer: aiohttp.TraceResponseChunkReceivedParams,
) -> None:
    _hear_if_secret(answer.url, answer.chunk)


async def _hear_answered(
    _session: aiohttp.ClientSession,
    _context: SimpleNamespace,
    answered: aiohttp.TraceRequestEndParams,
) -> None:
    for cookie in answered.response.headers.getall("set-cookie", ()):
        SEEN.add_looks(_place(answered.url), cookie)


def _hear_if_secret(url: URL, body: bytes) -> None:
    if url.path.startswith(ROUTES):
        hear_body(_place(url), body)


def _place(url: URL) -> str:
    """One for all names of this machine, and for WebSockets too: the port tells servers apart."""
    return f"http://127.0.0.1:{url.port}"


def _document(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return dict(parse_qsl(text))
    except RecursionError:
        return None


def _members(document: object, kind: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a document with what it is, empty for what is no secret."""
    if isinstance(document, str):
        yield kind, document
    elif isinstance(document, list):
        for item in cast("list[object]", document):
            yield from _members(item, kind)
    elif isinstance(document, dict):
        for name, value in cast("dict[str, object]", document).items():
            coded = name == "code" and isinstance(value, str) and RECOVERY_CODE.fullmatch(value)
            yield from _members(value, "recovery code" if coded else MEMBERS.get(name, ""))
