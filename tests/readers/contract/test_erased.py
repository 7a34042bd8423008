"""What a cursor into erased text is answered by, and what a reader is told who passes it."""

from __future__ import annotations

from typing import Any

import pytest

from readers.api import Api
from readers.contract.clients import Native
from readers.contract.stage import Stage, end_of, read_to
from readers.contract.transports import ALL, NATIVE, ChatRetry, Refused, asking
from support.upstream import Reply, text

KEY = "contract-erased"
SECRET = "the parrot flies at noon "
GONE = Refused(410, "stream.cursor-erased")


async def read_from_zero(api: Api, session_id: str) -> list[dict[str, Any]]:
    """All frames of a session, by SSE."""
    end = await end_of(api, session_id)
    return await read_to(NATIVE[0], api, session_id, Native(), cursor=end)


@pytest.mark.requirement("F5", "60")
async def test_erased_session_when_read_then_every_transport_says_so_and_none_is_silent(
    stage: Stage, admin: Api
) -> None:
    session_id = await stage.play(admin, [Reply(text(*[SECRET] * 30))], KEY)
    before = await read_from_zero(admin, session_id)
    inside = next(each["cursor"] for each in before if each["kind"] == "message.delta")
    (ended,) = [each["cursor"] for each in before if each["kind"] == "run.finished"]
    await admin.post(f"/v1/sessions/{session_id}/clear", {"erase": True})

    for transport in ALL:
        refused = await transport.refused(admin, session_id, inside)
        assert refused == GONE, transport.name
    assert await ChatRetry().refused(admin, session_id, ended) == GONE
    # Also who does not know where it stood, but which request it was.
    answer = await admin.call(
        "POST", "/v1/chat/completions", asking(session_id, "Say what there is \U0001f600"),
        **{"Idempotency-Key": KEY},
    )  # fmt: skip
    assert Refused(answer.status, answer.code) == GONE

    assert answer.json["snapshot"] == f"/v1/sessions/{session_id}/messages"
    assert (await admin.get(answer.json["snapshot"]))["messages"] == []
    stage.claude.script(Reply(text("anew")))
    said = await admin.say(session_id, "and now?")
    await admin.finished(said["run_id"])
    end = await end_of(admin, session_id)
    for transport in NATIVE:
        client = Native()
        client.cursor = answer.json["cursor"]
        await read_to(transport, admin, session_id, client, cursor=end)
        assert list(client.texts.values()) == [["anew"]], transport.name

        passing = Native()
        frames = await read_to(transport, admin, session_id, passing, cursor=end)
        assert SECRET.strip() not in repr(frames), transport.name
        told = [each["kind"] for each in frames if each.get("erased")]
        events = [each["kind"] for each in before if not _live(each)]
        assert told == events, transport.name
        (erased,) = [each for each in frames if each["kind"] == "payload.erased"]
        assert (erased["first_seq"], erased["count"]) == (1, len(events))
        assert list(passing.texts.values()) == [["anew"]], transport.name


def _live(frame: dict[str, Any]) -> bool:
    return frame["kind"] in {"message.delta", "block.started", "stream.heartbeat"}
