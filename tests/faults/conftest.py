"""The figures of fault runs are told at the end, for docs/guarantees.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.figures import FIGURES

Tell = Callable[[dict[str, Any]], None]


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Keeps what a history has seen."""

    def keep(seen: dict[str, Any]) -> None:
        record_property(FIGURES, json.dumps(seen))

    return keep
