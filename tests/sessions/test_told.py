"""What the model is told after retries, forks and summaries, and how long that is."""

from __future__ import annotations

from typing import Any

from homeport.providers.port import Usage
from homeport.sessions import told
from homeport.sessions.runstate import RunState, Turn

WORDS = [{"type": "text", "text": "Do it."}]


def turn(text: str, *, prompt: int = 0, stop: str | None = "end_turn", number: int = 1) -> Turn:
    blocks = [{"type": "text", "text": text}]
    return Turn("m", number, stop, blocks, stop is not None, Usage(input_tokens=prompt))


def run(run_id: str, *turns: Turn, **members: Any) -> RunState:
    return RunState(run_id, turns=list(turns), **members)


def roles(*runs: RunState) -> list[str]:
    messages = told.history(runs, runs[-1].run_id, summary=None)
    return [message["role"] for message in messages]


def tokens(*runs: RunState) -> int:
    return told.context_tokens(runs, runs[-1].run_id, summary=None)


def test_context_when_an_answer_was_paid_elsewhere_then_its_size_is_estimated() -> None:
    copied = run("a", turn("x" * 3_000_000), said=[WORDS])
    assert tokens(copied, run("b", said=[WORDS])) > 900_000


def test_context_when_a_run_is_forgotten_then_it_does_not_count() -> None:
    forgotten = run("a", turn("long", prompt=180_000), said=[WORDS], forgotten=True)
    assert tokens(forgotten, run("b", said=[WORDS])) < 100


def test_history_when_a_run_goes_on_then_only_what_broke_off_is_left_out() -> None:
    paused = turn("One moment.", stop="pause_turn", prompt=10)
    broken = turn("And th", stop=None, number=2)
    before = run("a", paused, broken, said=[WORDS])
    after = run("b", goes_on=True)
    messages = told.history([before, after], "b", summary=None)
    assert [m["role"] for m in messages] == ["user", "assistant"]
    assert messages[1]["content"] == [{"type": "text", "text": "One moment."}]


def test_history_when_something_new_is_said_then_what_broke_off_is_shown() -> None:
    broken = run("a", turn("And th", stop=None), said=[WORDS])
    assert roles(broken, run("b", said=[WORDS])) == ["user", "assistant", "user"]


def test_history_when_no_run_asks_yet_then_it_is_what_the_next_one_would_be_told() -> None:
    assert told.history([], "", summary=None) == []
    assert not told.has_answers([], "")
    broken = run("a", turn("And th", stop=None), said=[WORDS])
    assert told.history([broken], "", summary=None)[1:] == [
        {"role": "assistant", "content": [{"type": "text", "text": "And th"}]}
    ]
