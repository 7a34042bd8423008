"""A process that has imported the server and forks one whenever it is asked: a start without imports.

What it forks is a server like any other: its own process, environment, directory and output; its
code was read from the disk once instead of every time. It lives as long as the other end of its
socket, and so do they.

Usage: python -P nursery_process.py FILE_DESCRIPTOR
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import socket
import sys
from importlib import import_module
from typing import Any

from homeport import __main__ as program

LARGEST = 1 << 17
PR_SET_PDEATHSIG = 1
IMPORTED = (
    "homeport.cli.main",
    "homeport.cli.serve",
    # What servers import later, those at least that are given a key or a database.
    "homeport.kernel.rates.redis",
    "homeport.kernel.wakeups.postgresql",
    "homeport.kernel.wakeups.redis",
    "homeport.migrations.runner",
    "homeport.providers.anthropic.signing",
)


def serve(asked: socket.socket) -> dict[str, Any] | None:
    """Answers until the other end is closed; in a child, what it is to be."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(asked, LARGEST, 2)
        if not message:
            return None
        order: dict[str, Any] = json.loads(message)
        if "status" in order:
            answer = {"code": code_of(order["status"])}
        else:
            pid = os.fork()
            if pid == 0:
                take(order, descriptors)
                return order
            for each in descriptors:
                os.close(each)
            answer = {"pid": pid}
        asked.send(json.dumps(answer).encode())


def code_of(pid: int) -> int | None:
    """With what it has ended, once; None while it runs."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def take(order: dict[str, Any], descriptors: list[int]) -> None:
    """In the child: becomes what a new process would be that was started like this."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number, descriptor in enumerate(descriptors, start=1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()  # noqa: TID251 - the environment of a process that begins here
    os.environ.update(order["env"])  # noqa: TID251
    os.chdir(order["cwd"])


def main() -> None:
    """Imports, says that it is ready, and serves."""
    gc.disable()
    for name in IMPORTED:
        import_module(name)
    gc.freeze()  # what is never looked through is never copied
    gc.enable()
    assert len(os.listdir("/proc/self/task")) == 1, "a fork would lose a thread"
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        asked.send(b"{}")
        order = serve(asked)
    if order is not None:
        sys.argv = [str(program.__file__), *order["arguments"]]
        program.main()


if __name__ == "__main__":
    main()
