"""What each rung is said to hold, in words for people: nothing that is not tried or told below."""

from __future__ import annotations

FULL = (
    "files: only the workspace, the system's programs and toolchains are visible",
    "protected names are read-only, also when absent",
    "processes: a pid namespace of its own, nothing survives the command",
    "network: none but its own loopback",
    "secrets: the server's data, environment and processes are invisible",
)
SEATBELT = (
    "files: contents outside the workspace, the system and toolchains stay closed",
    "protected names cannot be written, also when absent",
    "network: none",
    "secrets: the server's data and environment cannot be read",
    "limits: time, output, CPU time and size of a file; neither memory nor processes",
)
LANDLOCK = (
    "files: contents outside the workspace, the system and toolchains stay closed",
    "network: no sockets but socket pairs",
    "secrets: the server's data and environment cannot be read",
    "protected names are checked after each command and put back",
)
_LOOKED_AT = "looked at 20 times a second"


def limits(*, ceiling: bool) -> str:
    """How the limits of a command are held on Linux.

    Args:
        ceiling: The kernel itself bounds the number of its processes.
    """
    held = "limits: time, output, CPU time, size of a file and memory of a process"
    if ceiling:
        return f"{held}, and processes; memory in all and free disk space are {_LOOKED_AT}"
    return (
        f"{held}; memory in all, free disk space and processes are {_LOOKED_AT}, "
        "which a fork bomb can outrun"
    )
