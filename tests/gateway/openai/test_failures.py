"""What goes wrong with a stateless call, as the error document and as the SDK's exceptions."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import openai
import orjson
import pytest

from gateway.door import CLAUDE, ERROR_MEMBERS, PATIENCE_S, Person, refused, user
from support.canaries.planted import PROVIDER_KEY
from support.server import Server
from support.upstream import Fail, Hang, Reply, Upstream, event, text


def recorded(server: Server) -> list[dict[str, Any]]:
    """The usage of stateless calls, as the log has it: no route shows it yet."""
    path = server.data_dir / "homeport.db"
    query = (
        "SELECT p.payload FROM events e JOIN event_payloads p"
        " ON p.stream_id = e.stream_id AND p.seq = e.seq"
        " WHERE e.kind = 'usage.recorded' ORDER BY e.position"
    )
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return [orjson.loads(payload) for (payload,) in database.execute(query)]


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("step", "status", "code", "retry_after"),
    [
        (Fail(429, headers={"retry-after": "17"}), 429, "provider.rate-limited", "17"),
        (Fail(529), 503, "provider.overloaded", None),
        (Fail(503, headers={"retry-after": "3"}), 503, "provider.overloaded", "3"),
        (Fail(401, "invalid x-api-key"), 502, "provider.credentials", None),
        (Fail(403), 502, "provider.credentials", None),
        (Fail(500), 502, "provider.failed", None),
        (Fail(400, "messages: too odd"), 400, "provider.refused", None),
        (Fail(404, "model: claude-sonnet-4-5"), 404, "model.not-found", None),
        (Fail(502, body=b"<html>oops</html>"), 502, "provider.failed", None),
        (Hang(), 504, "provider.timeout", None),
        (Reply(end="cut", bare=True), 502, "provider.interrupted", None),
    ],
    ids=["429", "529", "503", "401", "403", "500", "400", "404", "html", "hang", "cut"],
)
async def test_call_when_the_provider_fails_at_once_then_the_status_says_how(
    ada: Person,
    claude: Upstream,
    step: Any,
    status: int,
    code: str,
    retry_after: str | None,
    streaming: bool,
) -> None:
    claude.script(step)
    answer = await ada.chat({"model": CLAUDE, "messages": user("hi"), "stream": streaming})
    document = await answer.json(content_type="application/problem+json")
    assert (answer.status, document["error"]["code"]) == (status, code)
    assert answer.headers.get("Retry-After") == retry_after
    assert PROVIDER_KEY not in await answer.text()


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (Fail(429), openai.RateLimitError),
        (Fail(529), openai.InternalServerError),
        (Fail(401), openai.InternalServerError),
        (Fail(400), openai.BadRequestError),
        (Fail(404, "model: x"), openai.NotFoundError),
    ],
    ids=["429", "529", "401", "400", "404"],
)
async def test_sdk_when_the_provider_fails_then_its_own_exceptions_tell_it(
    ada: Person, claude: Upstream, step: Any, kind: type[openai.APIStatusError]
) -> None:
    claude.script(step)
    with pytest.raises(kind) as failure:
        await ada.sdk.chat.completions.create(model=CLAUDE, messages=user("hi"))
    assert isinstance(failure.value.body, dict)
    assert failure.value.code == failure.value.body["code"]  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.parametrize(
    ("reply", "code", "shown"),
    [
        (Reply(text("Half ", "an answer"), end="cut"), "provider.interrupted", "Half an answer"),
        (Reply(text("Half "), end="close"), "provider.interrupted", "Half "),
        (Reply(text("Half "), end="hang"), "provider.timeout", "Half "),
        (
            Reply(
                [
                    *text("Half "),
                    event("error", error={"type": "overloaded_error", "message": "o"}),
                ],
                end="close",
            ),
            "provider.overloaded",
            "Half ",
        ),
    ],
    ids=["cut", "closed", "silent", "error"],
)
async def test_stream_when_it_breaks_in_the_middle_then_an_error_frame_and_done_end_it(
    ada: Person, claude: Upstream, reply: Reply, code: str, shown: str
) -> None:
    claude.script(reply, reply)
    body: dict[str, Any] = {"model": CLAUDE, "messages": user("hi")}
    heard = await ada.stream(body)
    assert heard.text.strip() == shown.strip()
    assert heard.kinds[-2:] == ["error", "[DONE]"]
    assert heard.frames[-2].json["error"]["code"] == code
    assert set(heard.frames[-2].json["error"]) == ERROR_MEMBERS
    with pytest.raises(openai.APIError) as failure:
        async for _ in await ada.sdk.chat.completions.create(**body, stream=True):
            pass
    assert failure.value.code == code


async def test_call_when_it_breaks_in_the_middle_then_nothing_of_it_is_an_answer(
    ada: Person, claude: Upstream
) -> None:
    claude.script(Reply(text("Half ", "an answer"), end="cut"))
    document = await refused(ada, {"model": CLAUDE, "messages": user("hi")})
    assert (document["status"], document["error"]["code"]) == (502, "provider.interrupted")


async def test_usage_when_calls_end_in_any_way_then_each_is_recorded_and_no_text_is(
    ada: Person, claude: Upstream, harbour: Server
) -> None:
    before = len(recorded(harbour))
    secret = "an unheard-of word: zwirbelfitz"
    claude.script(
        Reply(text(secret)),
        Reply(text(secret)),
        Reply(text(secret), end="cut"),
        Fail(500),
        Reply(text(*["more "] * 3_000), interval_s=0.01),
    )
    body = {"model": CLAUDE, "messages": user(f"Say: {secret}")}
    await ada.chat(body)
    await ada.stream(body)
    await ada.stream(body)
    await refused(ada, body)
    await ada.stream(body, most=2)
    async with asyncio.timeout(PATIENCE_S):
        while len(made := recorded(harbour)[before:]) < 5:
            await asyncio.sleep(0.02)
    told = [(each["status"], each["input_tokens"], each["output_tokens"]) for each in made]
    assert told == [
        ("completed", 10, 20),
        ("completed", 10, 20),
        ("failed", 10, 1),
        ("failed", 0, 0),
        ("cancelled", 10, 1),
    ]
    assert made[0]["cost_usd"] == pytest.approx((10 * 3 + 20 * 15) / 1e6)
    kept = b"".join(path.read_bytes() for path in harbour.data_dir.glob("homeport.db*"))
    assert b"usage.recorded" in kept
    assert b"zwirbelfitz" not in kept
    assert "zwirbelfitz" not in harbour.log()
