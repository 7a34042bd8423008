"""Fits a command's output into what a model reads: its beginning and its end."""

from __future__ import annotations

from dataclasses import dataclass

from homeport.sandbox.port import Outcome

CHARACTERS = 40_000
HEAD = 16_000
TAIL = CHARACTERS - HEAD


@dataclass(frozen=True, slots=True)
class Shown:
    """Text for the model; `cut`: it is not all."""

    text: str
    cut: bool


def shown(outcome: Outcome, kept_bytes: int) -> Shown:
    """The output as text, at most 40,000 characters and a note in the gap.

    Args:
        outcome: Of the command.
        kept_bytes: Its `Limits.output_bytes`: tells where the gap is.
    """
    if outcome.truncated:
        split = kept_bytes // 2
        head, tail = _text(outcome.output[:split]), _text(outcome.output[split:])
    else:
        head = tail = _text(outcome.output)
        if len(head) <= CHARACTERS:
            return Shown(head, cut=False)
    head, tail = head[:HEAD], tail[-TAIL:]
    left_out = outcome.output_size - len(head.encode()) - len(tail.encode())
    note = f"[... {max(left_out, 1)} of {outcome.output_size} bytes are left out here ...]"
    return Shown(f"{head}\n{note}\n{tail}", cut=True)


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")
