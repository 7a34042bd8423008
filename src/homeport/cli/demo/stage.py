"""What the demo stands on: a temporary folder, a git repository, and a server of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from homeport.kernel.errors import Unavailable
from homeport.settings import Settings

CALCULATOR = '''"""A small calculator."""


def average(numbers: list[float]) -> float:
    """The mean of the numbers; 0.0 when there are none."""
    return sum(numbers) / len(numbers)
'''
TESTS = '''"""Tests of the calculator; run them with python3 -m unittest."""

import unittest

from calculator import average


class AverageTest(unittest.TestCase):
    def test_average_of_several_numbers(self):
        self.assertEqual(average([1, 2, 6]), 3)

    def test_average_of_nothing_is_zero(self):
        self.assertEqual(average([]), 0.0)


if __name__ == "__main__":
    unittest.main()
'''
FILES = {"calculator.py": CALCULATOR, "test_calculator.py": TESTS, ".gitignore": "__pycache__/\n"}
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
START_S = 60.0
STOP_S = 30.0


class DemoFailed(Unavailable):
    """The demo could not be played to its end."""

    code = "demo.failed"
    title = "The demo could not be played"


@dataclass(frozen=True, slots=True)
class Stage:
    """A running server and the repository that its agent will repair.

    Attributes:
        address: `http://127.0.0.1:<port>`.
        pid: Of the server's process.
        repository: A git repository with one commit and a failing test.
        folder: Holds all of it, and what the server writes.
    """

    address: str
    pid: int
    repository: Path
    folder: Path

    def git(self, *arguments: str) -> str:
        """What git says about the repository."""
        return _git(self.repository, *arguments)


@contextmanager
def set_stage(settings: Settings, *, pace: float, model_key: bool, keep: bool) -> Generator[Stage]:
    """Builds the stage; takes it down again, also after an error.

    Args:
        settings: The machine's; the sandbox and, for a real model, its key are taken over.
        pace: Multiplies the demo model's delays.
        model_key: Whether the server gets the key of the real models.
        keep: Leaves the folder where it is.

    Raises:
        DemoFailed: git is missing, or the server does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="homeport-demo-"))
    try:
        repository = _make_repository(folder / "calculator")
        environment = _environment(settings, folder, pace=pace, model_key=model_key)
        with _serve(folder, environment) as (address, pid):
            yield Stage(address, pid, repository, folder)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _make_repository(folder: Path) -> Path:
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message=Add a calculator and its tests")
    return folder


def _git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Homeport demo", "-c", "user.email=demo@example.org")
    command = ("git", "-C", str(folder), *identity, "-c", "commit.gpgsign=false", *arguments)
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise DemoFailed("git is not installed.") from None
    except subprocess.CalledProcessError as error:
        raise DemoFailed(f"git {arguments[0]}: {error.stderr.strip()}") from error
    return done.stdout


def _environment(
    settings: Settings, folder: Path, *, pace: float, model_key: bool
) -> Mapping[str, str]:
    """The caller's environment, but of its settings only what is true of the machine itself."""
    ours = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}  # noqa: TID251 - the child's, not ours
    given = {
        "SANDBOX": settings.sandbox,
        "TOOL_TIMEOUT": str(settings.tool_timeout),
    }
    key = settings.anthropic_api_key
    if model_key and key is not None:
        given["ANTHROPIC_API_KEY"] = key.get_secret_value()
        if settings.anthropic_base_url:
            given["ANTHROPIC_BASE_URL"] = settings.anthropic_base_url
    return {
        **kept,
        **given,
        "DATA_DIR": str(folder / "data"),
        "WORKSPACE_ROOTS": str(folder),
        "DEMO_PACE": str(pace),
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def _serve(folder: Path, environment: Mapping[str, str]) -> Generator[tuple[str, int]]:
    """Runs `homeport serve` on a free port; yields its address and pid."""
    said, log = folder / "server.out", folder / "server.log"
    with said.open("wb") as out, log.open("wb") as errors:
        process = subprocess.Popen(
            (sys.executable, "-m", "homeport", "serve", "--host", "127.0.0.1", "--port", "0"),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            env=environment,
            cwd=folder,
            # Ctrl-C is for the demo, which ends the server in its own time.
            start_new_session=True,
        )
    try:
        yield _wait_for_address(process, said, log), process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_address(process: subprocess.Popen[bytes], said: Path, log: Path) -> str:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        if found := ADDRESS.search(said.read_text(encoding="utf-8")):
            return found[0]
        time.sleep(0.02)
    reason = log.read_text(encoding="utf-8").strip() or "it said nothing"
    raise DemoFailed(f"The server did not start: {reason[-2_000:]}")
