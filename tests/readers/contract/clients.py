"""What a client knows after the frames that it got, and the clients that were cut somewhere."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any, Protocol, Self

from support.stream_client import StreamClient

ChatFrame = tuple[str | None, dict[str, Any] | None]
"""Id and data of a frame of the chat wire; no data is `[DONE]`."""


class Client(Protocol):
    """What a client of one transport knows."""

    @property
    def cursor(self) -> str:
        """Where it stands."""
        ...

    def apply(self, frame: Any) -> None:
        """Takes one frame in."""
        ...

    def knows(self) -> object:
        """What two clients of one run must agree on, however often they were cut."""
        ...

    def whole(self, knows: object) -> bool:
        """Whether it knows everything that a client knows that has `knows`."""
        ...

    def copy(self) -> Self:
        """Another client that knows the same."""
        ...

    def pieces(self, frame: Any) -> int:
        """In how many places a line may be cut inside `frame`, the end of it included."""
        ...

    def begun(self, frame: Any, at: int) -> Any:
        """What of `frame` has come when the line is cut in place `at`, from 1 on."""
        ...


class Native(StreamClient):
    """A client of our own frames."""

    def copy(self) -> Self:
        return copy.deepcopy(self)

    def whole(self, knows: object) -> bool:
        return self.knows() == knows

    def pieces(self, frame: dict[str, Any]) -> int:
        return len(frame["text"]) if frame["kind"] == "message.delta" else 1

    def begun(self, frame: dict[str, Any], at: int) -> dict[str, Any]:
        """A delta as a reader has it to whom the text came in smaller pieces."""
        if frame["kind"] != "message.delta":
            return frame
        return {
            **frame,
            "text": frame["text"][:at],
            "cursor": shorter(frame["cursor"], len(frame["text"]) - at),
        }


class Chat:
    """A client of OpenAI's wire that repeats its POST with the last id.

    Attributes:
        text: What the assistant said.
        agent: The agent's frames, without heart-beats.
        finish: Why it ended.
        done: Whether `[DONE]` came.
    """

    def __init__(self) -> None:
        self.cursor = "0"
        self.text = ""
        self.agent: list[dict[str, Any]] = []
        self.finish: str | None = None
        self.done = False

    def copy(self) -> Self:
        return copy.deepcopy(self)

    def knows(self) -> object:
        return self.text, self.agent, self.finish, self.done

    def whole(self, knows: object) -> bool:
        return self.done and self.knows() == knows

    def apply(self, frame: ChatFrame) -> None:
        number, data = frame
        if number is not None:
            self.cursor = number.rpartition("/")[2]
        if data is None:
            self.done = True
        elif "object" in data:
            for choice in data["choices"]:
                self.text += choice["delta"].get("content", "")
                self.finish = choice["finish_reason"] or self.finish
        elif data["type"] != "heartbeat":
            self.agent.append(data)

    def pieces(self, frame: ChatFrame) -> int:
        return max(1, len(_content(frame[1])))

    def begun(self, frame: ChatFrame, at: int) -> ChatFrame:
        number, data = frame
        content = _content(data)
        if not content or data is None or number is None or "." not in number:
            return frame
        choice = {**data["choices"][0], "delta": {"content": content[:at]}}
        return shorter(number, len(content) - at), {**data, "choices": [choice]}


def _content(data: dict[str, Any] | None) -> str:
    """The text that a chat frame adds."""
    if data is None or "object" not in data:
        return ""
    return "".join(choice["delta"].get("content", "") for choice in data["choices"])


def shorter(cursor: str, characters: int) -> str:
    """The cursor so many characters before this one, in the same block."""
    head, _, offset = cursor.rpartition(".")
    return cursor if not characters else f"{head}.{int(offset) - characters}"


def cut_somewhere(fresh: Client, frames: Sequence[Any], chance: random.Random) -> Client:
    """A client whose line was cut: between two frames, or somewhere in the text, alike often."""
    if chance.random() < 0.5:
        last, at = chance.randrange(len(frames)), None
    else:
        weights = [fresh.pieces(frame) for frame in frames]
        (last,) = chance.choices(range(len(frames)), weights)
        at = chance.randint(1, weights[last])
    for frame in frames[:last]:
        fresh.apply(frame)
    fresh.apply(frames[last] if at is None else fresh.begun(frames[last], at))
    return fresh
