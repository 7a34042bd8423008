"""macOS: `sandbox-exec` with a profile written for each command."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from homeport.sandbox import claims, linux, planning, protected
from homeport.sandbox.bubblewrap import EXECUTE
from homeport.sandbox.errors import CommandRefused
from homeport.sandbox.layout import Places
from homeport.sandbox.port import Command, Outcome, Rung

if TYPE_CHECKING:
    from homeport.sandbox.inside.plan import Plan

_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/System",
    "/Library/Apple",
    "/Library/Developer/CommandLineTools",
    "/Library/Frameworks",
    "/Library/Java",
    "/opt/homebrew",
    "/opt/local",
    "/Applications/Xcode.app",
    "/private/etc/ssl",
    "/private/etc/localtime",
    "/private/etc/shells",
    "/private/var/db/timezone",
    "/private/var/db/dyld",
    "/private/var/select",
)
_DEVICES = ("null", "zero", "random", "urandom", "tty", "ptmx", "dtracehelper")
_HEAD = """(version 1)
(deny default)
(allow process-exec)
(allow process-fork)
(allow process-info* (target same-sandbox))
(allow signal (target same-sandbox))
(allow sysctl-read)
(allow pseudo-tty)
(allow file-read-metadata)
(allow file-read* (literal "/"))
(allow ipc-posix-sem)
(allow mach-lookup
  (global-name "com.apple.system.opendirectoryd.libinfo")
  (global-name "com.apple.system.notification_center")
  (global-name "com.apple.system.logger")
  (global-name "com.apple.trustd.agent"))
"""
_NETWORK = """(allow network*)
(allow system-socket)
(allow mach-lookup (global-name "com.apple.SystemConfiguration.configd"))
(allow file-read* (subpath "/private/etc") (subpath "/private/var/run"))
"""


def quoted(path: str) -> str:
    """`path` as a string of the profile language.

    Raises:
        CommandRefused: It holds a control character, for which that language has no spelling.
    """
    if re.search(r"[\x00-\x1f\x7f]", path):
        raise CommandRefused("A path with a control character cannot be opened to a command.")
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def profile(
    command: Command, places: Places, *, home: str, pins: Sequence[str], readable: Sequence[Path]
) -> str:
    """The profile of one command; the last rule that matches is the one that counts.

    Args:
        command: What may be read and written.
        places: Toolchains, and the data directory that stays closed.
        home: The command's private directory.
        pins: Relative paths that may not be written.
        readable: More that may be read.
    """
    workspace = _subpath(command.workspace)
    reads = [_subpath(Path(p)) for p in _SYSTEM]
    reads += [_subpath(p) for p in (*places.toolchains.directories, *command.readable, *readable)]
    writes = [_subpath(Path(home)), *(_subpath(p) for p in command.writable)]
    (reads if command.workspace_read_only else writes).append(workspace)
    devices = " ".join(f'(literal "/dev/{name}")' for name in _DEVICES)
    lines = [
        _HEAD,
        f"(deny file-read* file-write* {_subpath(places.secrets)})",
        f"(allow file-read* {' '.join([*reads, *writes])})",
        f"(allow file-map-executable {' '.join([*reads, *writes])})",
        f"(allow file-write* {' '.join(writes)})",
        f'(allow file-read* file-write* file-ioctl {devices} (regex #"^/dev/ttys[0-9]+$"))',
    ]
    if not command.workspace.resolve().is_relative_to(places.secrets.resolve()):
        lines.append(f"(deny file-read* file-write* {_subpath(places.secrets)})")
    for pin in pins:
        place = quoted(str(command.workspace.resolve() / pin))
        lines.append(f"(deny file-write* (literal {place}) (subpath {place}))")
    if command.network != "none":
        lines.append(_NETWORK)
    return "\n".join(lines) + "\n"


def _subpath(path: Path) -> str:
    return f"(subpath {quoted(str(path.resolve()))})"


class SeatbeltSandbox:
    """`sandbox-exec`."""

    rung = Rung.SEATBELT
    holds = claims.SEATBELT
    remedy = None

    def __init__(self, places: Places, program: str) -> None:
        self._places = places
        self._program = program

    async def run(
        self, command: Command, *, on_output: Callable[[bytes], None] | None = None
    ) -> Outcome:
        """See `Sandbox.run`."""
        home = await planning.off_loop(lambda: tempfile.mkdtemp(prefix="homeport-"), shutil.rmtree)
        try:
            plan, guard = await planning.off_loop(
                lambda: self.prepare(command, home, live=on_output is not None), linux.let_go
            )
            return await linux.carry_out(plan, guard, on_output)
        finally:
            await planning.finish(lambda: linux.remove_home(home))

    def prepare(
        self, command: Command, home: str, *, live: bool
    ) -> tuple[Plan, protected.Guard | None]:
        """The plan of `command`. Reads the disk.

        Raises:
            CommandRefused: See `planning.check`.
        """
        planning.check(command, self._places)
        guard: protected.Guard | None = None
        pins: tuple[str, ...] = ()
        readable: tuple[Path, ...] = ()
        if command.protect and not command.workspace_read_only:
            guard = protected.watch(command.workspace)
            pins, readable = guard.names, guard.readable
        plan = planning.plan(command, "wrapped", self._places, home=home, temporary=home, live=live)
        text = profile(command, self._places, home=home, pins=pins, readable=readable)
        plan["wrapper"] = [self._program, "-p", text, *EXECUTE]
        return plan, guard
