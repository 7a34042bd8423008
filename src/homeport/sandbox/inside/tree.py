"""What the processes below one process use together, and their end."""

# Importing pathlib would cost every command several milliseconds.
# ruff: noqa: PTH116, PTH123, PTH208

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_PAGE = os.sysconf("SC_PAGE_SIZE")


def everybody_else() -> list[int]:
    """All processes of this pid namespace but its first."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def descendants(root: int) -> list[int]:
    """The living processes below `root`, nearest first."""
    found: list[int] = []
    open_ends = [root]
    while open_ends:
        parent = open_ends.pop(0)
        below = _children(parent)
        found += below
        open_ends += below
    return found


def _children(parent: int) -> list[int]:
    below: list[int] = []
    try:
        for task in os.listdir(f"/proc/{parent}/task"):
            with open(f"/proc/{parent}/task/{task}/children", "rb") as children:
                below += [int(pid) for pid in children.read().split()]
    except OSError:
        return below  # it ended while we looked
    return below


def threads(pids: Iterable[int]) -> int:
    """How many threads `pids` have together."""
    total = 0
    for pid in pids:
        try:
            total += max(1, os.stat(f"/proc/{pid}/task").st_nlink - 2)
        except OSError:
            continue  # it ended while we looked
    return total


def memory(pids: Iterable[int], *, limit: int) -> int:
    """Bytes of memory that `pids` hold for themselves, at most roughly.

    Pages that are shared after a fork are counted for each process first; only when that sum is
    over `limit` the exact, dearer figure is taken.
    """
    held = list(pids)
    rough = sum(_anonymous(pid) for pid in held)
    if rough <= limit:
        return rough
    return sum(_proportional(pid) for pid in held)


def _anonymous(pid: int) -> int:
    total = 0
    for line in _lines(f"/proc/{pid}/status"):
        if line.startswith((b"RssAnon:", b"RssShmem:")):
            total += int(line.split()[1]) * 1024
    return total


def _proportional(pid: int) -> int:
    lines = _lines(f"/proc/{pid}/smaps_rollup")
    if not lines:
        return _anonymous(pid)  # it has more rights than we, or has ended
    total = 0
    for line in lines:
        if line.startswith((b"Pss_Anon:", b"Pss_Shmem:")):
            total += int(line.split()[1]) * 1024
    return total


def _lines(path: str) -> list[bytes]:
    try:
        with open(path, "rb") as file:
            return file.readlines()
    except OSError:
        return []  # it ended while we looked


def free(place: str) -> int:
    """Bytes that can still be written to the file system of `place`; of one that is gone, many."""
    try:
        seen = os.statvfs(place)
    except OSError:
        return 1 << 62
    return seen.f_bavail * seen.f_frsize


def send(pids: Iterable[int], number: int) -> None:
    """Signal each of `pids` that still lives."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        except PermissionError:
            continue  # a set-uid program: no-new-privs keeps them out of every box of ours


def reap() -> list[tuple[int, int]]:
    """Collect every child that has ended: (pid, wait status)."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, status))


def end_all(root: int) -> None:
    """Kill everything below `root` again and again until nothing is left, however long it takes.

    A caller that gave up would leave a fork bomb to the machine. Groups are killed as a whole,
    which no fork can outrun; all groups below `root` are its own, for its child began a session.
    """
    _go_first()
    while True:
        reap()
        alive = descendants(root)
        if not alive:
            return
        for group in _groups(alive) - {os.getpgrp()}:
            _kill_group(group)
        send(alive, signal.SIGSTOP)  # what stands still does not fork
        send(descendants(root), signal.SIGKILL)
        reap()
        time.sleep(0.001)


def _go_first() -> None:
    """Run before the many that are to be ended, where this process may."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return  # without the right to it, the limits on processes have to be enough


def _groups(pids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for pid in pids:
        try:
            found.add(os.getpgid(pid))
        except ProcessLookupError:
            continue
    return found


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended while we looked


def threads_of_user(uid: int) -> int:
    """How many threads `uid` has on this machine."""
    pids: list[int] = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                pids.append(int(name))
        except OSError:
            continue  # it ended while we looked
    return threads(pids)
