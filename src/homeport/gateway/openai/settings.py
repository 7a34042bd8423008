"""What the operator decides about this wire."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """The operator's word on chat completions.

    Attributes:
        max_tokens: Of a stateless call that names none.
        answer_within_s: Seconds after which a call of the agent without a stream answers with what
            there is: before common clients and proxies give up at 60.
    """

    max_tokens: int
    answer_within_s: float
