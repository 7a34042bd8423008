"""docs/guarantees.md names its proofs, and each of them is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs" / "guarantees.md"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows() -> list[str]:
    """The rows of promises, without heads."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    promised = lines[: lines.index("## Not proven")]
    return [
        line for line in promised if line.startswith("| ") and not line.startswith("| promise |")
    ]


@cache
def marks_in(file: Path) -> dict[str, list[str]]:
    """By name, the marks of the tests in a file."""
    if not file.is_file():
        return {}
    functions = [
        node
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return {each.name: [ast.unparse(mark) for mark in each.decorator_list] for each in functions}


def test_promise_when_it_is_made_then_it_names_a_proof_and_each_proof_is_there() -> None:
    assert len(rows()) > 30
    for row in rows():
        named = NAMED.findall(row)
        assert named, f"no proof: {row}"
        for file, name in named:
            assert name in marks_in(TESTS / file), f"{file}::{name} is not there"


def test_proof_when_it_takes_long_then_the_row_says_so_and_only_then() -> None:
    for row in rows():
        for match in NAMED.finditer(row):
            long = "pytest.mark.faults" in marks_in(TESTS / match[1])[match[2]]
            assert row[: match.start()].endswith("at length ") is long, match[0]
