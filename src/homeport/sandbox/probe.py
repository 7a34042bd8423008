"""Tries from inside a box what the box must prevent; started by `selftest` as a program.

It prints one line, the names of what it could do. It imports nothing of Homeport.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys

_UNSHARE_USER = 0x10000000
_PTRACE_TRACEME = 0
_IO_URING_SETUP = 425
_PTRACE = {"x86_64": 101, "aarch64": 117}


def _opens(path: str, flags: int) -> bool:
    try:
        os.close(os.open(path, flags, 0o600))
    except OSError:
        return False
    return True


def _creates(path: str) -> bool:
    """Leaves nothing, for it may be the machine's own directory that was not closed."""
    made = _opens(path, os.O_WRONLY | os.O_CREAT)
    if made:
        os.unlink(path)  # noqa: PTH108 - nothing but what has to be is loaded in a box
    return made


def _reads_server(server: str) -> bool:
    """`server` is its pid and its start time: inside, the same pid may be somebody else."""
    pid, _, started = server.partition("@")
    if not _opens(f"/proc/{pid}/environ", os.O_RDONLY):
        return False
    return start_time(pid) == started


def start_time(pid: str) -> str:
    """When `pid` started, in ticks since boot; empty when that is not told."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _socket_reaches(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def _calls(number: int, *arguments: int) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) >= 0:
        return True
    return ctypes.get_errno() not in {errno.EPERM, errno.ENOSYS}


def main(outside: str, secret: str, port: int, server: str) -> None:
    """Try everything and print what worked."""
    create = os.O_WRONLY | os.O_CREAT
    done: list[str] = []
    tries = {
        "read-outside": lambda: _opens(f"{outside}/canary", os.O_RDONLY),
        "write-outside": lambda: _opens(f"{outside}/new", create),
        "read-secret": lambda: _opens(secret, os.O_RDONLY),
        "write-system": lambda: _creates("/usr/bin/.homeport-probe"),
        "write-protected": lambda: _opens(".git/config", os.O_WRONLY),
        "create-protected": lambda: _opens(".mcp.json", create),
        "read-server": lambda: _reads_server(server),
        "network": lambda: _socket_reaches(port),
        "see-processes": lambda: os.getpid() > 100,
        "write-workspace": lambda: _opens("written", create),
    }
    if sys.platform == "linux":
        tries |= {
            "write-kernel-switches": lambda: _opens("/proc/sys/kernel/core_pattern", os.O_WRONLY),
            "ptrace": lambda: _calls(_PTRACE[os.uname().machine], _PTRACE_TRACEME, 0, 0, 0),
            "io-uring": lambda: _calls(_IO_URING_SETUP, 1, 0),
            "user-namespace": lambda: ctypes.CDLL(None, use_errno=True).unshare(_UNSHARE_USER) == 0,
        }
    done = [name for name, attempt in tries.items() if attempt()]
    print(" ".join(done))  # noqa: T201 - its one line


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
