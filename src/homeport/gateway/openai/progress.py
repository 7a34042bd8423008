"""What is known of a run that answers on OpenAI's wire: its text, its state, its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from homeport.gateway.openai.commission import Commission, run_members
from homeport.gateway.openai.errors import failure_of_run
from homeport.kernel.errors import HomeportError
from homeport.providers.port import Usage

UNFINISHED = frozenset({"queued", "running", "waiting"})
REASONS = {"length": "length", "refusal": "content_filter"}


@dataclass(slots=True)
class Progress:
    """What is known of the run so far.

    Attributes:
        cursor: Where the reader stands that has told it.
        status: `queued`, `running`, `waiting`, or how it ended.
        approval_id: The first question that waits for people.
    """

    session_id: str
    run_id: str
    cursor: str
    status: str
    approval_id: str | None = None
    reason: str | None = None
    detail: str | None = None
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    _said: list[list[str]] = field(default_factory=lambda: [[]])
    _broken_turn: int | None = None

    @classmethod
    def of(cls, commission: Commission) -> Self:
        """What the commission tells."""
        progress = cls(
            commission.session_id,
            commission.run_id,
            str(commission.cursor),
            commission.status,
            commission.approval_id,
        )
        if commission.ended is not None:
            progress.apply("run.finished", commission.ended)
        return progress

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.status not in UNFINISHED

    @property
    def text(self) -> str:
        """What the assistant said: of a turn that was taken again, its last attempt."""
        return "".join([piece for said in self._said for piece in said])

    @property
    def finish_reason(self) -> str:
        """OpenAI's word for how the answer ended."""
        if self.status == "budget_exceeded":
            return "length"
        return REASONS.get(self.reason or "", "stop")

    @property
    def members(self) -> dict[str, str]:
        """Which run it is, and where it stands."""
        cursor = f"{self.session_id}/{self.cursor}"
        return run_members(self.run_id, self.status, self.approval_id, cursor=cursor)

    @property
    def error(self) -> HomeportError | None:
        """What is told when the run failed."""
        if self.status != "failed":
            return None
        return failure_of_run(self.reason, self.detail, run_id=self.run_id, homeport=self.members)

    def say(self, text: str) -> None:
        """Adds what the assistant says."""
        self._said[-1].append(text)

    def apply(self, kind: str, payload: dict[str, Any]) -> None:
        """Takes in an event of the run."""
        match kind:
            case "message.started":
                if payload["turn"] == self._broken_turn:
                    self._said.pop()
                    self._broken_turn = None
                self._said.append([])
            case "message.interrupted":
                self._broken_turn = payload["turn"]
            case "approval.requested":
                self.approval_id = self.approval_id or payload["approval_id"]
            case "run.paused":
                self.status = "waiting"
            case "run.started":
                self.status, self.approval_id = "running", None
            case "run.finished":
                self._finish(payload)
            case _:
                pass

    def _finish(self, payload: dict[str, Any]) -> None:
        self.status, self.approval_id = payload["status"], None
        self.reason, self.detail = payload.get("reason"), payload.get("detail")
        self.cost_usd = payload["cost_usd"]
        self.usage = Usage(
            payload["input_tokens"],
            payload["output_tokens"],
            payload["cache_read_tokens"],
            payload["cache_write_tokens"],
        )
