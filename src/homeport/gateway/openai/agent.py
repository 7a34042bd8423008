"""The agent's frames on OpenAI's wire: one run of a session, from a cursor on.

Each frame carries `id: <session_id>/<cursor>`, so that a client that repeats its POST with
`Last-Event-ID` goes on in the middle of a word. Text that was sent is never sent again, also where
the reader resets a message after a crash. Of the frames that close an answer only the first has an
id: whoever comes back from there is sent the others, and nothing else.
"""

from __future__ import annotations

from typing import Any

import orjson

from homeport.gateway.openai.commission import Commission
from homeport.gateway.openai.progress import Progress
from homeport.gateway.openai.wire import Chunks, Head
from homeport.readers.stream.frame import Frame

TRIED_AGAIN = frozenset({"provider", "crashed", "draining"})
"""Why a message was interrupted whose turn is taken again, or else the run fails."""
BREAK = "\n\n"
"""Between what was shown of a broken answer and the next attempt at it."""


class AgentWire:
    """Translates a reader's frames of one run.

    Args:
        commission: The run, and where the client stands: the text up to there it has.
        include_usage: Whether the last chunk tells the usage.
    """

    def __init__(self, commission: Commission, *, include_usage: bool = False) -> None:
        self.progress = Progress.of(commission)
        self._session_id = commission.session_id
        self._run_id = commission.run_id
        self._include_usage = include_usage
        head = Head(commission.run_id, commission.created, commission.model)
        self._chunks = Chunks(head, session_id=commission.session_id)
        self._shown = (commission.cursor.block, commission.cursor.offset)

    def opening(self) -> bytes:
        """The first frame, as soon as the message is committed; for a late one, also the last."""
        chunk = self._with_id(self._chunks.delta({"role": "assistant", "content": ""}))
        return chunk + self._closing() if self.progress.over else chunk

    def take(self, frame: Frame) -> bytes:
        """What a frame is on this wire; empty for what it has no word for."""
        if frame.kind == "message.delta":
            body = self._text(frame)
        elif frame.kind == "stream.heartbeat":
            return self._with_id(self._chunks.agent("heartbeat", {}))
        elif frame.record is not None:
            self.progress.cursor = frame.cursor
            body = self._event(frame.kind, orjson.loads(frame.data))
        else:
            body = b""
        return self._with_id(body) if body else b""

    def _with_id(self, body: bytes) -> bytes:
        cursor = self.progress.cursor
        return b"id: %b/%b\n%b" % (self._session_id.encode(), cursor.encode(), body)

    def _text(self, frame: Frame) -> bytes:
        members = frame.members or {}
        text: str = members["text"]
        end = (members["block"], members["offset"] + len(text))
        if end <= self._shown:
            return b""  # sent before: a crash took back more than it took of this
        self._shown, self.progress.cursor = end, frame.cursor
        if members["type"] != "text":
            return b""
        self.progress.say(text)
        return self._chunks.text(text)

    def _event(self, kind: str, payload: dict[str, Any]) -> bytes:
        if kind == "message.started":
            self._shown = (-1, 0)
        if payload.get("erased"):  # of which run it was is gone, too
            return self._chunks.agent("erased", {"kind": kind})
        if payload.get("run_id") != self._run_id:
            return b""
        self.progress.apply(kind, payload)
        match kind:
            case "tool.started":
                return self._chunks.agent("tool_use", _tool_use(payload))
            case "tool.finished":
                return self._chunks.agent("tool_result", _tool_result(payload))
            case "approval.requested":
                return self._chunks.agent("approval_request", _approval_request(payload))
            case "message.interrupted" if payload["reason"] in TRIED_AGAIN:
                return self._chunks.text(BREAK) if self._has_shown(payload["blocks"]) else b""
            case "run.finished":
                return self._finished()
            case _:
                return b""

    def _has_shown(self, kept: list[dict[str, Any]]) -> bool:
        """Whether the client has any text of a broken message, be it `kept` or lost in a crash."""
        block, offset = self._shown
        for index, each in enumerate(kept[: block + 1]):
            if each["type"] == "text" and (offset if index == block else each["length"]):
                return True
        return block > len(kept) or (block == len(kept) and offset > 0)

    def _finished(self) -> bytes:
        usage = self.progress.usage
        members = {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_cost": self.progress.cost_usd,
        }
        return self._chunks.agent("usage", members) + self._closing()

    def _closing(self) -> bytes:
        """What follows the usage; of a failed run the error does, which is not ours to write."""
        progress = self.progress
        if progress.error is not None:
            return b""
        chunk = self._chunks.delta({}, progress.finish_reason)
        if self._include_usage:
            chunk += self._chunks.usage(progress.usage, progress.cost_usd)
        return chunk


def _tool_use(payload: dict[str, Any]) -> dict[str, Any]:
    return {"id": payload["call_id"], "name": payload["tool"], "input": payload["input"]}


def _tool_result(payload: dict[str, Any]) -> dict[str, Any]:
    members = {
        "tool_id": payload["call_id"],
        "name": payload["tool"],
        "is_error": payload["is_error"],
        "content": payload["content"],
        "duration_ms": payload.get("duration_ms"),
        "exit_code": payload.get("exit_code"),
    }
    content = payload["content"]
    if isinstance(content, dict):  # long: its beginning, and where it is to be had whole
        members |= content
        members["content"] = members.pop("preview")
    return members


def _approval_request(payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": payload["approval_id"],
        "tool": payload["tool"],
        "input": payload["input"],
        "summary": payload["summary"],
    }
