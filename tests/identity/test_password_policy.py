"""The passwords that everybody tries first."""

from __future__ import annotations

import pytest
from zxcvbn.frequency_lists import (  # pyright: ignore[reportMissingTypeStubs] - it has none
    FREQUENCY_LISTS,
)

from homeport.identity.errors import WeakPassword
from homeport.identity.password_policy import check_strength

# Of leaked ones, the most frequent first; those that are too short are refused for that alone.
COMMON = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 8][:3_000]


def is_taken(password: str) -> bool:
    try:
        check_strength(password, min_length=8, words=("homeport",))
    except WeakPassword:
        return False
    return True


@pytest.mark.requirement("3")
def test_strength_when_the_password_is_one_of_the_3000_most_common_then_refused() -> None:
    assert len(set(COMMON)) == 3_000
    assert [word for word in COMMON if is_taken(word)] == []
    assert [word for word in COMMON if is_taken(word.capitalize())] == []
    assert is_taken("crimson-otter-plays-9-flutes")
