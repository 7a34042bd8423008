"""The figures of fault runs are told at the end, for docs/guarantees.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

FIGURES = "figures"
Tell = Callable[[dict[str, Any]], None]


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Keeps what a history has seen."""

    def keep(seen: dict[str, Any]) -> None:
        record_property(FIGURES, json.dumps(seen))

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the histories of the long tests have seen."""
    passed: list[pytest.TestReport] = terminalreporter.stats.get("passed", [])
    for report in passed:
        figures = dict(report.user_properties).get(FIGURES)
        if figures is not None and "faults" in report.keywords:
            terminalreporter.write_line(f"{report.nodeid}\n  {figures}")
