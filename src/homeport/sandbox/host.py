"""What this machine offers to build boxes with, as facts that a test can replace."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from homeport.sandbox.inside import landlock, pids

_MANAGERS = (
    ("apt-get", "apt-get install bubblewrap"),
    ("dnf", "dnf install bubblewrap"),
    ("pacman", "pacman -S bubblewrap"),
    ("apk", "apk add bubblewrap"),
    ("zypper", "zypper install bubblewrap"),
)
_SWITCHES = (
    ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
)
_VERSION_TIMEOUT_S = 10
_CAP_SYS_ADMIN = 21


@dataclass(frozen=True, slots=True)
class Host:
    """The machine.

    Attributes:
        platform: As `sys.platform`.
        root: The server runs as root.
        bubblewrap: Path of `bwrap`.
        launcher: Our own launcher may be tried.
        landlock: The kernel's ABI; 0 for none.
        ceiling: The kernel bounds how many processes a command has, whatever its rung.
        box_ceiling: It does so in a box of our own launcher.
        sandbox_exec: Path of macOS's `sandbox-exec`.
        path: The server's PATH, split.
        home: The server's home directory.
        remedy: The one command that would make the top rung work.
    """

    platform: str
    root: bool
    bubblewrap: str | None
    launcher: bool
    landlock: int
    ceiling: bool
    box_ceiling: bool
    sandbox_exec: str | None
    path: tuple[str, ...]
    home: Path
    remedy: str


def look() -> Host:
    """Look at this machine. Reads the disk and tries nothing."""
    linux = sys.platform == "linux"
    root = os.geteuid() == 0
    counting = linux and pids.each_namespace_counts(os.uname().release)
    return Host(
        platform=sys.platform,
        root=root,
        bubblewrap=shutil.which("bwrap") if linux else None,
        launcher=linux,
        landlock=landlock.abi() if linux else 0,
        ceiling=linux and (not root or (counting and _may_make_namespaces())),
        box_ceiling=linux and (not root or counting),
        sandbox_exec=shutil.which("/usr/bin/sandbox-exec"),
        path=tuple(os.get_exec_path()),
        home=Path.home(),
        remedy=remedy(Path("/proc/sys"), shutil.which("bwrap") is not None),
    )


def _may_make_namespaces() -> bool:
    """Whether this process has CAP_SYS_ADMIN (capabilities(7))."""
    for line in Path("/proc/self/status").read_text("latin-1").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value, 16) >> _CAP_SYS_ADMIN & 1)
    return False


def remedy(switches: Path, has_bubblewrap: bool) -> str:  # noqa: FBT001 - one fact beside another
    """The one command that most likely lifts this machine to the full rung.

    Args:
        switches: /proc/sys.
        has_bubblewrap: bubblewrap is installed (and did not work).
    """
    for name, closed, command in _SWITCHES:
        place = switches / name
        if place.is_file() and place.read_text("ascii").strip() == closed:
            return command
    if has_bubblewrap:
        return "docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined"
    for manager, command in _MANAGERS:
        if shutil.which(manager):
            return command
    return "install the package bubblewrap"


async def knows_disable_userns(program: str) -> bool:
    """Whether this bubblewrap has `--disable-userns` (0.8 and later).

    Raises:
        OSError: It cannot be started.
        TimeoutError: It does not answer.
    """
    process = await asyncio.create_subprocess_exec(
        program,
        "--help",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={},
    )
    try:
        async with asyncio.timeout(_VERSION_TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return b"--disable-userns" in output
