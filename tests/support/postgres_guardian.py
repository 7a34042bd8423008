"""A process that owns the test run's PostgreSQL and cannot leave it behind.

Its stdin is a pipe from the run's main process: end of file means that the run is over, however it
ended. Whoever connects to its socket is told the server's address; the first one starts the server.
Standard library only: it is started as a plain file, before anything else.

Usage: postgres_guardian.py RUN_DIRECTORY BIN_DIRECTORY
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TypedDict

PR_SET_PDEATHSIG = 1
START_S = 60.0
STOP_S = 10.0
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    # Nothing here has to survive a power cut; a test that claims durability kills processes.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
    "autovacuum": "off",
    "log_min_messages": "error",
}


class Identity(TypedDict):
    """Under whom PostgreSQL runs, as arguments of `subprocess.Popen`; None: as we are."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None


def identity() -> Identity:
    """PostgreSQL refuses to run as root: then it gets another user of the machine."""
    if os.geteuid() != 0:
        return {"user": None, "group": None, "extra_groups": None}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    message = "neither user postgres nor nobody exists, and PostgreSQL refuses to run as root"
    raise RuntimeError(message)


def die_with_parent() -> None:
    """In the child: a guardian killed by SIGKILL takes the server with it (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


class Server:
    """One PostgreSQL on a free port."""

    def __init__(self, run_directory: Path, binaries: Path) -> None:
        self._home = run_directory / "postgres"
        self._binaries = binaries
        self._identity = identity()
        self._process: subprocess.Popen[bytes] | None = None
        self._url: str | None = None

    def url(self) -> str:
        """The server's address up to the database's name; starts the server at the first call."""
        if self._url is None:
            self._prepare()
            self._url = f"postgresql://postgres@127.0.0.1:{self._start()}/"
        return self._url

    def _prepare(self) -> None:
        self._home.mkdir()
        if self._identity["user"] is not None:
            shutil.chown(self._home, self._identity["user"], self._identity["group"])
        self._binaries = self._reachable()
        subprocess.run(
            [
                self._binaries / "initdb",
                *("--pgdata", self._home / "data", "--username", "postgres"),
                *("--auth", "trust", "--encoding", "utf8", "--no-locale", "--no-sync"),
                "--no-instructions",
            ],
            check=True,
            capture_output=True,
            cwd=self._home,
            **self._identity,
        )

    def _reachable(self) -> Path:
        """The binaries, copied when their place is closed to the other user."""
        probe = subprocess.run(
            ["/bin/test", "-x", self._binaries / "initdb"], check=False, **self._identity
        )
        if probe.returncode == 0:
            return self._binaries
        package, copy = self._binaries.parents[1], self._home / "package"
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():  # the loader looks for the .libs beside the package
                shutil.copytree(folder, copy / folder.name)
        return copy / package.name / self._binaries.relative_to(package)

    def _start(self) -> int:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port: int = probe.getsockname()[1]
        options = [word for name in OPTIONS for word in ("-c", f"{name}={OPTIONS[name]}")]
        with (self._home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres",
                    *("-D", self._home / "data", "-p", str(port)),
                    *options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - this process has one thread
                **self._identity,
            )
        self._wait(self._process)
        return port

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        status, deadline = self._home / "data" / "postmaster.pid", time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            lines = status.read_text().splitlines() if status.exists() else []
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return
            time.sleep(0.02)
        message = f"PostgreSQL did not start: {(self._home / 'log').read_text()}"
        raise RuntimeError(message)

    def stop(self) -> None:
        """Stops the server at once and waits until it is gone."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(server: Server, listener: socket.socket) -> None:
    """Answers until stdin ends."""
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fd == sys.stdin.fileno():
                return
            connection, _ = listener.accept()
            with connection, contextlib.suppress(BrokenPipeError):
                connection.sendall(answer(server).encode())


def answer(server: Server) -> str:
    """The address, or why there is none, as `error: ...`."""
    try:
        return server.url()
    except subprocess.CalledProcessError as error:
        return f"error: {error}: {error.stderr.decode(errors='replace')}"
    except (RuntimeError, OSError) as error:
        return f"error: {error}"


def leave(_number: int, _frame: object) -> None:
    """A polite request to end: the `finally` below stops the server."""
    sys.exit(1)


def main() -> None:
    """Guards until the run is over, then leaves nothing."""
    run_directory, binaries = Path(sys.argv[1]), Path(sys.argv[2])
    signal.signal(signal.SIGTERM, leave)
    server = Server(run_directory, binaries)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(run_directory / "guardian.sock"))
        listener.listen()
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        try:
            serve(server, listener)
        finally:
            server.stop()
            shutil.rmtree(run_directory, ignore_errors=True)


if __name__ == "__main__":
    main()
