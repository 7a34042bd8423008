"""Every way in which a model call fails, as the caller sees it."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest

from homeport.kernel.clock import utc_now
from homeport.kernel.http.errors import face_of
from homeport.kernel.outbound import Outbound
from homeport.providers import (
    BlockDelta,
    ProviderCredentials,
    ProviderError,
    ProviderEvent,
    ProviderInterrupted,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderRefused,
    ProviderTimeout,
    UnknownModel,
)
from homeport.providers.anthropic import AnthropicProvider
from homeport.providers.anthropic.failures import read_retry_after
from support.conversation import ask, collect
from support.upstream import Fail, Hang, Reply, Upstream, event, start_block, text, upstream


async def fail(
    provider: AnthropicProvider, *, model: str = "claude-opus-5-5"
) -> tuple[ProviderError, str]:
    """The failure of a call, and the text that had come before it."""
    events: list[ProviderEvent] = []
    with pytest.raises(ProviderError) as caught:  # noqa: PT012 - what came first counts
        async for seen in provider.stream(ask(model=model)):
            events.append(seen)  # noqa: PERF401
    return caught.value, "".join(e.text for e in events if isinstance(e, BlockDelta))


@pytest.mark.requirement("F11")
@pytest.mark.parametrize(
    ("status", "kind", "shown", "retryable"),
    [
        (400, ProviderRefused, 400, False),
        (401, ProviderCredentials, 502, False),
        (402, ProviderCredentials, 502, False),
        (403, ProviderCredentials, 502, False),
        (404, ProviderRefused, 400, False),
        (408, ProviderTimeout, 504, True),
        (409, ProviderOverloaded, 503, True),
        (413, ProviderRefused, 400, False),
        (418, ProviderRefused, 400, False),
        (429, ProviderRateLimited, 429, True),
        (500, ProviderError, 502, True),
        (502, ProviderError, 502, True),
        (503, ProviderOverloaded, 503, True),
        (504, ProviderTimeout, 504, True),
        (529, ProviderOverloaded, 503, True),
    ],
)
async def test_status_becomes_a_typed_failure(
    server: Upstream,
    claude: AnthropicProvider,
    status: int,
    kind: type[ProviderError],
    shown: int,
    *,
    retryable: bool,
) -> None:
    server.script(Fail(status, "no luck", headers={"retry-after": "7"}))
    failure, _ = await fail(claude)
    assert type(failure) is kind
    assert face_of(failure).status == shown
    assert (failure.retryable, failure.started, failure.retry_after) == (retryable, False, 7.0)
    assert failure.detail == "no luck"
    assert failure.members["upstream_request_id"] == "req_test"
    assert len(server.requests) == 1, "retrying belongs to the caller"


async def test_provider_that_says_whether_to_retry_is_believed(
    server: Upstream, claude: AnthropicProvider
) -> None:
    server.script(
        Fail(429, headers={"x-should-retry": "false"}),
        Fail(400, headers={"x-should-retry": "true"}),
    )
    assert not (await fail(claude))[0].retryable
    assert (await fail(claude))[0].retryable


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "x"}', b"\xff" * 200_000])
async def test_error_without_a_document_is_still_typed(
    server: Upstream, claude: AnthropicProvider, body: bytes
) -> None:
    server.script(Fail(529, body=body))
    failure, _ = await fail(claude)
    assert type(failure) is ProviderOverloaded
    assert failure.detail == "The provider answered with status 529."


async def test_model_that_the_api_does_not_know_is_unknown(
    server: Upstream, claude: AnthropicProvider
) -> None:
    server.script(Fail(404, "model: claude-none"))
    with pytest.raises(UnknownModel, match="claude-none"):
        await collect(claude.stream(ask(model="claude-none")))


async def test_model_of_somebody_else_is_unknown_without_a_call(
    server: Upstream, claude: AnthropicProvider
) -> None:
    with pytest.raises(UnknownModel):
        await collect(claude.stream(ask(model="gpt-9")))
    assert server.requests == []


ERROR_KINDS = [
    ("overloaded_error", ProviderOverloaded),
    ("rate_limit_error", ProviderRateLimited),
    ("authentication_error", ProviderCredentials),
    ("invalid_request_error", ProviderRefused),
    ("timeout_error", ProviderTimeout),
    ("api_error", ProviderError),
    ("something_new", ProviderError),
]


@pytest.mark.requirement("F12")
@pytest.mark.parametrize(("kind", "failure_type"), ERROR_KINDS)
@pytest.mark.parametrize("cuts", [(), (1 << 20,)], ids=["apart", "in one piece"])
async def test_error_in_mid_stream_comes_after_the_text_before_it(
    server: Upstream,
    claude: AnthropicProvider,
    kind: str,
    failure_type: type[ProviderError],
    cuts: tuple[int, ...],
) -> None:
    error = event("error", error={"type": kind, "message": "Oh"})
    server.script(Reply([*text("some ", "text")[:-1], error], end="close", cuts=cuts))
    failure, before = await fail(claude)
    assert type(failure) is failure_type
    assert (failure.started, failure.detail, before) == (True, "Oh", "some text")


async def test_error_as_the_first_event_has_started_nothing(
    server: Upstream, claude: AnthropicProvider
) -> None:
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    server.script(Reply([error], bare=True))
    failure, _ = await fail(claude)
    assert (type(failure), failure.started) == (ProviderOverloaded, False)


@pytest.mark.requirement("F12")
@pytest.mark.parametrize("end", ["cut", "close"])
async def test_stream_that_breaks_off_is_interrupted_after_its_text(
    server: Upstream, claude: AnthropicProvider, end: str
) -> None:
    broken = Reply(text("some ", "text")[:-1], end="cut" if end == "cut" else "close")
    server.script(broken)
    failure, before = await fail(claude)
    assert type(failure) is ProviderInterrupted
    assert (failure.started, failure.retryable, before) == (True, True, "some text")


@pytest.mark.requirement("F12")
@pytest.mark.parametrize(
    "step", [Hang(), Reply(end="hang", bare=True), Reply(text("a"), end="hang")]
)
async def test_silence_times_out_wherever_it_begins(server: Upstream, step: Hang | Reply) -> None:
    server.script(step)
    claude = AnthropicProvider(
        Outbound(allow=[server.entry]), api_key="k", base_url=server.url, idle_timeout_s=0.3
    )
    failure, before = await fail(claude)
    assert type(failure) is ProviderTimeout
    has_text = isinstance(step, Reply) and not step.bare
    assert (failure.started, before) == (has_text, "a" if has_text else "")
    await claude.close()


@pytest.mark.requirement("F12")
@pytest.mark.parametrize(
    "garbage",
    [
        b"event: content_block_delta\ndata: {\n\n",
        b"event: content_block_delta\ndata: []\n\n",
        b"data: [1]\n\n",
        b"data: " + b"[" * 100_000 + b"\n\n",
        event("content_block_delta", index=9, delta={"type": "text_delta", "text": "x"}),
        event("content_block_delta", index=0, delta={"type": "text_delta"}),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": 7}),
        event("content_block_stop"),
        start_block(1),
    ],
)
async def test_what_is_no_event_interrupts_after_the_text_before_it(
    server: Upstream, claude: AnthropicProvider, garbage: bytes
) -> None:
    server.script(Reply([*text("before")[:-1], garbage]))
    failure, before = await fail(claude)
    assert type(failure) is ProviderInterrupted
    assert before == "before"


async def test_broken_utf8_is_replaced_and_the_stream_goes_on(
    server: Upstream, claude: AnthropicProvider
) -> None:
    broken = [piece.replace(b"BAD", b"\xff\xfe") for piece in text("a BAD b", "c")]
    server.script(Reply(broken))
    events = await collect(claude.stream(ask()))
    assert "".join(e.text for e in events if isinstance(e, BlockDelta)) == "a \ufffd\ufffd bc"


async def test_missing_key_is_said_without_a_call(server: Upstream) -> None:
    claude = AnthropicProvider(Outbound(allow=[server.entry]), api_key="", base_url=server.url)
    failure, _ = await fail(claude)
    assert (type(failure), server.requests) == (ProviderCredentials, [])


async def test_key_is_in_no_failure(server: Upstream, claude: AnthropicProvider) -> None:
    server.script(Fail(401, "invalid x-api-key"))
    failure, _ = await fail(claude)
    assert "sk-test" not in f"{failure!r} {failure.members} {failure.detail}"


async def test_base_url_that_nobody_listed_is_refused(server: Upstream) -> None:
    claude = AnthropicProvider(Outbound(), api_key="k", base_url=server.url)
    failure, _ = await fail(claude)
    assert (type(failure), failure.retryable, server.requests) == (ProviderError, False, [])
    await claude.close()


async def test_server_that_is_not_there_is_an_interruption_before_the_start() -> None:
    async with upstream() as server:
        claude = AnthropicProvider(Outbound(allow=[server.entry]), api_key="k", base_url=server.url)
    failure, _ = await fail(claude)
    assert (type(failure), failure.started, failure.retryable) == (ProviderInterrupted, False, True)
    await claude.close()


async def test_request_that_is_not_unicode_is_refused(
    server: Upstream, claude: AnthropicProvider
) -> None:
    with pytest.raises(ProviderRefused):
        await collect(claude.stream(ask("\ud83d")))
    assert server.requests == []


@pytest.mark.requirement("F11")
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "7", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37"}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers) == seconds


@pytest.mark.requirement("F11")
def test_retry_after_as_a_date_counts_from_now() -> None:
    later = format_datetime(utc_now() + timedelta(seconds=3_600), usegmt=True)
    seconds = read_retry_after({"retry-after": later})
    assert seconds is not None
    assert 3_000 < seconds <= 3_600
