"""Starts servers out of a process that has imported them: see `nursery_process`."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Protocol

PROGRAM = Path(__file__).with_name("nursery_process.py")
LARGEST = 1 << 17
POLL_S = 0.01


class Process(Protocol):
    """What a test asks of a process: a part of `subprocess.Popen`."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


class Nursery:
    """The process that forks; it ends when this one does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", PROGRAM, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},  # noqa: TID251
                pass_fds=[theirs.fileno()],
            )
        self._answer()  # it is ready
        atexit.register(self.close)

    def start(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        out: IO[Any],
        err: IO[Any],
    ) -> Child:
        """`homeport <arguments>` with this environment, directory and output."""
        order = {"arguments": list(arguments), "env": dict(env), "cwd": str(cwd)}
        answer = self._ask(order, out.fileno(), err.fileno())
        return Child(self, answer["pid"])

    def code_of(self, pid: int) -> int | None:
        """With what a child has ended; to be asked no more once it was told."""
        code: int | None = self._ask({"status": pid})["code"]
        return code

    def close(self) -> None:
        """Ends it, and with it whatever it has started."""
        self._asked.close()
        self._process.wait()

    def _ask(self, order: dict[str, Any], *descriptors: int) -> dict[str, Any]:
        with self._lock:
            socket.send_fds(self._asked, [json.dumps(order).encode()], descriptors)
            return self._answer()

    def _answer(self) -> dict[str, Any]:
        message = self._asked.recv(LARGEST)
        assert message, "the nursery has ended"
        answer: dict[str, Any] = json.loads(message)
        return answer


class Child:
    """One of its children. It stays a zombie, and its number nobody else's, until it is asked."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._code: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """As `subprocess.Popen` has it."""
        with self._lock:
            if self._code is None:
                self._code = self._nursery.code_of(self.pid)
            return self._code

    def wait(self, timeout: float | None = None) -> int:
        """As `subprocess.Popen` has it."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("homeport", timeout or 0)
            time.sleep(POLL_S)
        return code

    def send_signal(self, sig: int) -> None:
        """As `subprocess.Popen` has it."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """As `subprocess.Popen` has it."""
        self.send_signal(signal.SIGKILL)


@cache
def nursery() -> Nursery:
    """The one of this process; the first caller waits for its imports."""
    return Nursery()
