"""What a long run has seen is told at its end, for docs/guarantees.md."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

FIGURES = "figures"
"""The property of a test in which they travel, also from a worker to the main process."""


def figures_of(passed: list[pytest.TestReport]) -> Iterator[str]:
    """The figures of the long tests, each with the test's name."""
    for report in passed:
        figures = dict(report.user_properties).get(FIGURES)
        if figures is not None and "faults" in report.keywords:
            yield f"{report.nodeid}\n  {figures}"
