"""How many processes the kernel lets a pid namespace have, apart from RLIMIT_NPROC.

That limit does not hold for the user 0 of the machine, whatever its capabilities; the highest
process id does.
"""

# Importing pathlib would cost every command several milliseconds.
# ruff: noqa: PTH123

from __future__ import annotations

import os

_RESERVED = 300  # once a namespace has counted this far, lower ids are not given out again
_SPARE = 8
_FIRST_RELEASE = (6, 14)


def each_namespace_counts(release: str) -> bool:
    """Whether the kernel `release` (as `os.uname` tells it) has a highest id for each namespace.

    Older ones have a single one, and writing it in a namespace would change the whole machine.
    """
    parts = [part for part in release.replace("-", ".").split(".")[:2] if part.isdigit()]
    return len(parts) == 2 and (int(parts[0]), int(parts[1])) >= _FIRST_RELEASE


def bound(proc: str, processes: int) -> None:
    """Lets the pid namespace of this process have about `processes` at once.

    It may have up to 300 more for as long as it has counted no further than that.

    Args:
        proc: Where a proc file system is mounted whose `sys` can be written.
        processes: Threads count as well.
    """
    if not each_namespace_counts(os.uname().release):
        return
    try:
        with open(f"{proc}/sys/kernel/pid_max", "w", encoding="ascii") as file:
            file.write(str(_RESERVED + processes + _SPARE))
    except OSError:
        return  # a container that shows its switches read-only: the watch counts as well
