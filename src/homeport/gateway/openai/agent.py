"""The agent's frames on OpenAI's wire: one run of a session, from a cursor on.

Each frame carries `id: <session_id>/<cursor>`, so that a client that repeats its POST with
`Last-Event-ID` goes on in the middle of a word. Text that was sent is never sent again, also where
the reader resets a message after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from homeport.gateway.openai.wire import DONE, Chunks
from homeport.kernel.errors import HomeportError, Upstream
from homeport.providers.port import Usage
from homeport.readers.stream.frame import Frame

REASONS = {"length": "length", "refusal": "content_filter"}


class RunFailed(Upstream):
    """The run that should have answered failed; the detail says why."""

    code = "run.failed"
    title = "The run failed"


@dataclass(slots=True)
class Progress:
    """What is known of the run so far.

    Attributes:
        text: What the assistant said, block after block.
        status: `running`, `waiting`, or how it ended.
        approval_id: The first question that waits for people.
    """

    text: list[str] = field(default_factory=list[str])
    status: str = "running"
    reason: str | None = None
    detail: str | None = None
    approval_id: str | None = None
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    cursor: str = ""

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.status not in {"running", "waiting"}

    @property
    def finish_reason(self) -> str:
        """OpenAI's word for how the answer ended."""
        return REASONS.get(self.reason or "", "stop")

    @property
    def error(self) -> HomeportError | None:
        """What is told when the run failed."""
        if self.status != "failed":
            return None
        return RunFailed(self.detail, reason=self.reason)


class AgentWire:
    """Translates a reader's frames of one run.

    Args:
        cursor: Where the client stands: the text up to there has been sent to it before.
    """

    def __init__(
        self, *, session_id: str, run_id: str, model: str, include_usage: bool = False
    ) -> None:
        self.progress = Progress()
        self._session_id = session_id
        self._run_id = run_id
        self._include_usage = include_usage
        self._chunks = Chunks(model, session_id=session_id)
        self._message_id: str | None = None
        self._sent: dict[int, int] = {}

    def opening(self, cursor: str) -> bytes:
        """The first frame, as soon as the message is committed."""
        self.progress.cursor = cursor
        return self._with_id(cursor, self._chunks.delta({"role": "assistant", "content": ""}))

    def heartbeat(self, cursor: str) -> bytes:
        """A frame that says only that the line is alive."""
        return self._with_id(cursor, self._chunks.agent("heartbeat", {}))

    def take(self, frame: Frame) -> bytes:
        """What a frame is on this wire; empty for what it has no word for."""
        self.progress.cursor = frame.cursor
        if frame.record is None:
            body = self._live(frame)
        else:
            payload: dict[str, Any] = orjson.loads(frame.data)
            body = self._event(frame.kind, payload) if self._is_ours(payload) else b""
        return self._with_id(frame.cursor, body) if body else b""

    def _with_id(self, cursor: str, body: bytes) -> bytes:
        return b"id: %b/%b\n%b" % (self._session_id.encode(), cursor.encode(), body)

    def _is_ours(self, payload: dict[str, Any]) -> bool:
        return payload.get("run_id") == self._run_id

    def _live(self, frame: Frame) -> bytes:
        if frame.kind == "stream.heartbeat":
            return self._chunks.agent("heartbeat", {})
        if frame.kind != "message.delta":
            return b""
        members: dict[str, Any] = orjson.loads(frame.data)
        if members["type"] != "text":
            return b""
        if members["message_id"] != self._message_id:
            self._message_id, self._sent = members["message_id"], {}
        block: int = members["block"]
        offset: int = members["offset"]
        text: str = members["text"]
        sent = self._sent.get(block, offset)
        fresh = text[max(sent - offset, 0) :]
        self._sent[block] = max(sent, offset + len(text))
        if not fresh:
            return b""
        self.progress.text.append(fresh)
        return self._chunks.text(fresh)

    def _event(self, kind: str, payload: dict[str, Any]) -> bytes:
        progress = self.progress
        if kind == "tool.started":
            members = {"id": payload["call_id"], "name": payload["tool"], "input": payload["input"]}
            return self._chunks.agent("tool_use", members)
        if kind == "tool.finished":
            return self._chunks.agent("tool_result", _tool_result(payload))
        if kind == "approval.requested":
            progress.approval_id = progress.approval_id or payload["approval_id"]
            members = {
                "id": payload["approval_id"],
                "tool": payload["tool"],
                "input": payload["input"],
                "summary": payload["summary"],
            }
            return self._chunks.agent("approval_request", members)
        if kind == "run.paused":
            progress.status = "waiting"
        elif kind == "run.started":
            progress.status, progress.approval_id = "running", None
        elif kind == "run.finished":
            return self._finished(payload)
        return b""

    def _finished(self, payload: dict[str, Any]) -> bytes:
        progress = self.progress
        progress.status, progress.reason = payload["status"], payload.get("reason")
        progress.detail = payload.get("detail")
        progress.cost_usd = payload["cost_usd"]
        progress.usage = Usage(
            payload["input_tokens"],
            payload["output_tokens"],
            payload["cache_read_tokens"],
            payload["cache_write_tokens"],
        )
        usage = {
            "input_tokens": progress.usage.input_tokens,
            "output_tokens": progress.usage.output_tokens,
            "total_cost": progress.cost_usd,
        }
        body = self._chunks.agent("usage", usage)
        if progress.error is not None:
            return body  # the error frame follows, then [DONE]
        body += self._chunks.delta({}, progress.finish_reason)
        if self._include_usage:
            body += self._chunks.usage(progress.usage, progress.cost_usd)
        return body

    @staticmethod
    def end() -> bytes:
        """The last frame of every stream."""
        return DONE


def _tool_result(payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "tool_id": payload["call_id"],
        "name": payload["tool"],
        "is_error": payload["is_error"],
        "content": payload["content"],
        "duration_ms": payload.get("duration_ms"),
        "exit_code": payload.get("exit_code"),
    }
