"""Random lives of a stream, for properties: messages, blocks, text, events between, crashes."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

TYPES = ("text", "thinking", "tool_use", "redacted_thinking")

# Letters, a combining accent, characters beyond the BMP, JSON's and SSE's special ones.
ALPHABET = 'ab e\u0301\xdf\u4e2d\U0001f600\U0001f469\u200d\U0001f4bb"\\{}\n\r\t\u2028:'
pieces = st.one_of(
    st.text(st.sampled_from(ALPHABET), min_size=1, max_size=8),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
    st.integers(1, 3).map(lambda n: "\U0001f600" * (4_000 * n)),  # more than one delta may carry
)


@dataclass(frozen=True)
class BeginBlock:
    type: str


@dataclass(frozen=True)
class Say:
    text: str


@dataclass(frozen=True)
class Happen:
    """An event that is appended while the message is open."""


@dataclass(frozen=True)
class Flush:
    """What was written until now is stored."""


Step = BeginBlock | Say | Happen | Flush


@dataclass(frozen=True)
class Message:
    """One message; `crashes`: whoever wrote it is gone before its end, with what was not stored."""

    steps: list[Step] = field(default_factory=list[Step])
    crashes: bool = False


steps = st.one_of(
    st.builds(BeginBlock, st.sampled_from(TYPES)),
    pieces.map(Say),
    pieces.map(Say),
    st.just(Happen()),
    st.just(Flush()),
)
messages = st.builds(Message, st.lists(steps, max_size=12), st.booleans())
stories = st.lists(messages, min_size=1, max_size=3)
