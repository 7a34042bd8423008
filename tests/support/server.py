"""A real `homeport serve` process on a free port, with a data directory of its own."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request  # noqa: TID251 - a test is a client
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from support.canaries.search import everything
from support.canaries.seen import SEEN
from support.nursery import Process, nursery

LINK = re.compile(r"/setup\?token=([\w-]+)")
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
KEY = re.compile(r"\bck_[A-Za-z0-9_-]{16,}")
START_S = 60.0
STOP_S = 60.0
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "COVERAGE_PROCESS_START", "TZ")


class MakeServer(Protocol):
    """Starts a server with these settings."""

    def __call__(self, **settings: str) -> Server: ...


class ServerFailed(Exception):
    """The server did not start; the message is what it said."""


class Server:
    """One server over its lifetime, which may see several processes on one data directory.

    Args:
        folder: Where `data/` and what the server says are kept.
        **settings: Settings by their name in the environment.
    """

    cold = sys.platform != "linux"
    """Whether its processes read their code from the disk; else they are forked by the nursery."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.data_dir = folder / "data"
        self.settings = settings
        self._said = folder / "stdout"
        self._log = folder / "log"
        self._folder = folder
        self._process: Process | None = None
        self._port = 0
        self._admin_key: str | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        if kind is None:
            self.search()

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:<port>`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Of the present process."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether the present process has not ended."""
        return self._running().poll() is None

    @property
    def admin_key(self) -> str:
        """The first admin's key, as the first start printed it."""
        assert self._admin_key is not None, f"no key was printed:\n{self.said()}"
        return self._admin_key

    @property
    def admin(self) -> dict[str, str]:
        """Headers of a request by the first admin."""
        return {"Authorization": f"Bearer {self.admin_key}"}

    def said(self) -> str:
        """What the present process has written to stdout."""
        return self._said.read_text(encoding="utf-8", errors="replace")

    def log(self) -> str:
        """What all processes have logged."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def search(self, *, thoroughly: bool = True) -> None:
        """Looks for every secret of this server's in whatever it has left; it is gone.

        Args:
            thoroughly: Also in the rows of its database and in a backup, not in its files alone.

        Raises:
            SecretLeaked: One is there.
        """
        said = KEY.sub("", LINK.sub("", self.said()))  # that is where the first start shows them
        everything(
            Path(self.settings.get("DATA_DIR", self.data_dir)),
            self.settings,
            place=self.base_url,
            output={"the log": self._log.read_bytes(), "stdout": said.encode()},
            thoroughly=thoroughly,
        )

    def log_events(self, event: str) -> list[dict[str, object]]:
        """The log's lines about `event`."""
        lines = [line for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in map(json.loads, lines) if line.get("event") == event]

    def start(self, *, command: tuple[str, ...] = ("serve",)) -> None:
        """Starts a process and waits until it answers; the port stays the same after a restart.

        Raises:
            ServerFailed: It ended, or never answered.
        """
        with self._said.open("wb") as said, self._log.open("ab") as log:
            words = (*command, "--port", str(self._port))
            self._process = self._started(words, said, log)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if (found := ADDRESS.search(self.said())) and _answers(found[0]):
                self._port = int(found[1])
                self._keep_first_secrets(self.said())
                return
            time.sleep(0.02)
        self.kill()
        raise ServerFailed(f"{self.said()}\n{self.log()}")

    def environment(self) -> Mapping[str, str]:
        """The environment of the process: nothing of ours but what it needs to run."""
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}  # noqa: TID251
        return {
            **inherited,
            "DATA_DIR": str(self.data_dir),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "DEBUG",  # whatever is logged is searched for secrets
            "PYTHONUNBUFFERED": "1",
            # Many tests share a server and one address; the limits have tests of their own.
            "LOGIN_FAILURES_PER_MINUTE": "0",
            "RATE_LIMIT_REQUESTS": "1000000",
            "RATE_LIMIT_STREAMS": "1000000",
            "RATE_LIMIT_REFRESHES": "1000000",
            "RATE_LIMIT_CREDENTIALS": "1000000",
            **self.settings,
        }

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Asks the process to end and returns its exit code."""
        process = self._running()
        process.send_signal(with_signal)
        return process.wait(STOP_S)

    def kill(self) -> None:
        """kill -9; no error when the process is gone already."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """kill -9 and a new process on the same data directory and port."""
        self.kill()
        self.start()

    def _started(self, words: Sequence[str], said: IO[bytes], log: IO[bytes]) -> Process:
        # What only a new interpreter reads needs one.
        read_at_start = any(name.startswith(("PYTHON", "LD_")) for name in self.settings)
        if not (self.cold or read_at_start):
            return nursery().start(
                words, env=self.environment(), cwd=self._folder, out=said, err=log
            )
        return subprocess.Popen(
            [sys.executable, "-m", "homeport", *words],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=log,
            env=self.environment(),
            cwd=self._folder,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, nothing allocated
        )

    def _keep_first_secrets(self, said: str) -> None:
        key, link = KEY.search(said), LINK.search(said)
        self._admin_key = key[0] if key else self._admin_key
        if key:
            SEEN.add(self.base_url, "first admin's key", key[0])
        if link:
            SEEN.add(self.base_url, "one-time link", link[1])

    def _running(self) -> Process:
        assert self._process is not None, "the server was not started"
        return self._process


class ColdServer(Server):
    """One that is started as a user starts it."""

    cold = True


def die_with_parent() -> None:
    """In the child: a test run that is killed takes its servers with it (Linux)."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/livez", timeout=5) as answer:  # noqa: TID251
            return answer.status == 200
    except OSError:
        return False
