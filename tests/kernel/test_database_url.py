"""A DATABASE_URL that opens nothing is named at the start, and its password is not."""

from __future__ import annotations

import pytest

from homeport.kernel.db import Database
from homeport.kernel.db.engine import UnusableURL


@pytest.mark.parametrize(
    "url",
    [
        "",
        "homeport",
        "postgresql://ada:hunter2@host:port/name",
        "mysql://ada:hunter2@host/name",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_database_when_the_url_opens_none_then_it_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UnusableURL) as refused:
        Database(url)
    assert "hunter2" not in str(refused.value)
