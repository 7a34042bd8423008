"""A small file system of a test's own, that can be filled and freed; and a limit that acts like one.

A tmpfs needs root; without it, `limited_files` makes a process's files as long as they are.
"""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A file system of few megabytes."""

    root: Path

    @property
    def _ballast(self) -> Path:
        return self.root / "ballast"

    def fill(self) -> None:
        """Takes all the room that is left."""
        with self._ballast.open("ab", buffering=0) as file:
            size = CHUNK
            while size:
                try:
                    file.write(b"x" * size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2

    def free(self) -> None:
        """Gives the room back."""
        self._ballast.unlink()


def can_mount() -> bool:
    """Whether a test may have a file system of its own."""
    return sys.platform == "linux" and os.geteuid() == 0


@contextmanager
def small_disk(root: Path, *, megabytes: int) -> Generator[SmallDisk]:
    """Mounts a tmpfs at `root` until the block ends."""
    root.mkdir()
    options = f"size={megabytes}m,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "homeport-test", root], check=True)
    try:
        yield SmallDisk(root)
    finally:
        # Lazily: whoever still has a file open in it keeps that, and nothing is left behind.
        subprocess.run(["umount", "-l", root], check=True)


@contextmanager
def limited_files(pid: int, *, size: int) -> Generator[None]:
    """No file that the process writes grows beyond `size` bytes, until the block ends (Linux)."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
