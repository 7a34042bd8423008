"""Chance that can be repeated: every failure names its seed, and SEED=<n> brings it back."""

from __future__ import annotations

import os
import random
from collections.abc import Generator
from contextlib import contextmanager

NAME = "SEED"


@contextmanager
def chance() -> Generator[random.Random]:
    """A random source; a failure inside the block says which."""
    given = os.environ.get(NAME)  # noqa: TID251 - of the test run, not of the server
    seed = int(given) if given else random.SystemRandom().randrange(2**32)
    try:
        yield random.Random(seed)
    except Exception as error:
        error.add_note(f"{NAME}={seed}")
        raise
