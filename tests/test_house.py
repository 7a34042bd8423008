"""Walls that an import contract cannot see."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "homeport"


def calls(folder: Path, *names: str) -> list[str]:
    """Where a method of one of these names is called below `folder`."""
    return [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
    ]


def test_readers_when_they_look_then_they_open_no_unit() -> None:
    assert calls(SOURCE / "readers", "unit") == []


def test_connections_when_they_are_made_then_only_the_guard_makes_them() -> None:
    made = calls(SOURCE, "create_connection", "open_connection", "sock_connect", "urlopen")
    # The probe tries from inside a box whether the network is shut.
    assert {place.partition(":")[0] for place in made} == {"sandbox/probe.py"}


def test_commit_when_it_is_called_then_only_the_database_does() -> None:
    assert {place.partition(":")[0] for place in calls(SOURCE, "commit")} == {
        "kernel/db/engine.py",
        "kernel/db/sqlite_connection.py",  # the driver below it
    }


def test_names_when_listed_then_none_says_nothing() -> None:
    empty = {"utils", "helpers", "common", "misc", "base2"}
    assert [path for path in SOURCE.rglob("*.py") if path.stem in empty] == []
