"""The judge itself: a good history passes, and whatever is broken in it, it says which promise.

`golden/history.jsonl` is a real one, of one person and six kills; `record.py` makes another.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from faults import tampered_log, tampered_readers, tampered_runs
from faults.checker.__main__ import judge
from faults.checker.history import BrokenHistory, read_history
from faults.checker.rules import RULES
from faults.recorder import TESTS, judged
from faults.tampering import GOLDEN, TAMPERINGS, Lines, Tampering

TAMPERED = (tampered_log, tampered_readers, tampered_runs)
"""Imported for what they enter into `TAMPERINGS`."""


def test_history_when_it_is_good_then_nothing_is_found_and_it_has_seen_something() -> None:
    seen = judged(GOLDEN)
    for name in ("kills", "answers_lost", "resets", "taken_over", "effects", "questions"):
        assert seen[name] > 0, name


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda tampering: tampering.name)
def test_history_when_a_promise_is_broken_then_that_one_is_named(
    tampering: Tampering, tmp_path: Path
) -> None:
    lines = Lines()
    tampering.do(lines)
    lines.write(tmp_path / "history.jsonl")
    found = {finding.rule for finding in judge(read_history(tmp_path / "history.jsonl"))}
    assert tampering.rule in found
    assert found - tampering.also == {tampering.rule}


def test_rules_when_listed_then_each_was_broken_by_somebody() -> None:
    assert {tampering.rule for tampering in TAMPERINGS} == RULES.keys()


def test_chain_when_linked_by_the_server_then_the_judge_agrees() -> None:
    lines = Lines()
    before = [line["hash"] for line in lines.of("event")]
    lines.link()
    assert [line["hash"] for line in lines.of("event")] == before


@pytest.mark.parametrize("cut", [b"", b'{"what":', b"[]", b'{"what":"nothing","at":1}'])
def test_history_when_it_is_not_whole_then_it_is_not_judged(tmp_path: Path, cut: bytes) -> None:
    file = tmp_path / "history.jsonl"
    file.write_bytes(b"\n".join([*GOLDEN.read_bytes().splitlines()[:-1], cut]))
    with pytest.raises(BrokenHistory):
        read_history(file)


def test_program_when_a_promise_is_broken_then_it_says_so_and_exits_with_1(tmp_path: Path) -> None:
    lines = Lines()
    lines.drop(lines.of("effect")[0])
    lines.write(tmp_path / "history.jsonl")
    for path, code in ((tmp_path / "history.jsonl", 1), (tmp_path / "none", 2)):
        command = [sys.executable, "-m", "faults.checker", str(path)]
        ended = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
        assert ended.returncode == code
        assert ("tool.effect-lost" in ended.stdout) is (code == 1)
