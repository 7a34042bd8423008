"""What the rest of Homeport knows of the sandbox: a command goes in, an outcome comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

Reason = Literal["exited", "timeout", "cancelled", "output", "signal", "limit"]


class Rung(StrEnum):
    """How strong the box is; the steps of the ladder, from the top."""

    FULL = "full"
    SEATBELT = "seatbelt"
    LANDLOCK = "landlock"
    NONE = "none"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one command may use.

    Attributes:
        wall_s: Seconds on the clock, then SIGTERM, and SIGKILL half a second later.
        memory_bytes: Writable private memory of a process, and of the whole tree together.
        processes: Processes and threads alive at once.
        file_bytes: Size of any one file.
        free_bytes: What it must leave free on the disk of the workspace, if that has twice as much
            when it starts.
        cpu_s: CPU seconds of a process.
        output_bytes: Bytes of output that are kept (its head and its tail). A command that
            writes more than 1,024 times as much is ended, reason `output`.
    """

    wall_s: float = 120
    memory_bytes: int = 4 << 30
    processes: int = 256
    file_bytes: int = 2 << 30
    free_bytes: int = 256 << 20
    cpu_s: int = 600
    output_bytes: int = 1 << 20


def _no_variables() -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Command:
    """One command and what it may touch.

    Attributes:
        argv: Program and arguments; no shell is put before it.
        workspace: Absolute directory, read-write, at the same path inside.
        cwd: Where it starts, relative to the workspace.
        env: Added to the cleared environment. For callers in this house only: nothing that the
            model or a repository says may come here.
        stdin: What it reads; empty means /dev/null.
        limits: See `Limits`.
        network: `none`, or the machine's own network.
        readable: More paths that may be read.
        writable: More paths that may be written.
        workspace_read_only: The workspace may only be read.
        protect: The protected names of the workspace may not be written, also when absent.
        merge: stdout and stderr share one pipe: `Outcome.output` is in the exact order in which
            it was written, and `Outcome.stdout` is the same bytes. Without it the order of the
            two is the order of their arrival.
    """

    argv: tuple[str, ...]
    workspace: Path
    cwd: str = "."
    env: Mapping[str, str] = field(default_factory=_no_variables)
    stdin: bytes = b""
    limits: Limits = field(default_factory=Limits)
    network: Literal["none", "full"] = "none"
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    workspace_read_only: bool = False
    protect: bool = True
    merge: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended.

    Attributes:
        exit_code: Its status, `None` when a signal or a limit ended it. 127: no such program,
            126: it could not be started; `output` then says why.
        signal: The signal that ended it.
        output: stdout and stderr together, at most `limits.output_bytes`. When `truncated`, what
            is missing lies between the first `output_bytes // 2` bytes and the rest.
        stdout: stdout alone, under the same cap.
        output_size: Bytes written in all.
        truncated: `output` or `stdout` does not hold everything.
        duration_ms: Milliseconds from start to end, the setting-up included.
        reason: Why it ended; `limit` is memory, processes, CPU time, file size or disk space.
        violations: Protected names that the command changed and that have been put back.
        limit: Which limit ended it, for `reason == "limit"`: `memory`, `processes`, `cpu`, `file`
            or `disk`.
    """

    exit_code: int | None
    signal: int | None
    output: bytes
    stdout: bytes
    output_size: int
    truncated: bool
    duration_ms: int
    reason: Reason
    violations: tuple[str, ...] = ()
    limit: str | None = None


class Sandbox(Protocol):
    """A box of one rung."""

    @property
    def rung(self) -> Rung:
        """The step of the ladder."""
        ...

    @property
    def holds(self) -> tuple[str, ...]:
        """What this rung guarantees, in words for people."""
        ...

    @property
    def remedy(self) -> str | None:
        """The one command that would lift this machine to the top rung."""
        ...

    async def run(
        self, command: Command, *, on_output: Callable[[bytes], None] | None = None
    ) -> Outcome:
        """Run `command` to its end.

        Its end is the end of its first process: whatever it left behind is killed. Cancelling
        the awaiting task kills everything, and awaits that, before CancelledError goes on.

        Args:
            command: What to run.
            on_output: Called in the event loop with output as it comes, up to the cap.

        Raises:
            SandboxUnavailable: There is no rung here to run it on.
            CommandRefused: The command asks for what no box gives.
            WorkspaceMissing: The workspace is not a directory.
            SandboxFailed: The box could not be set up.
        """
        ...
