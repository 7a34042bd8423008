"""The same rungs for a server with fewer rights than root, when the tests run as root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import homeport
from support import boxes, container_rights, unprivileged

NOBODY = 65534
SOURCE = Path(homeport.__file__).parents[1]
OUTRUN = "which a fork bomb can outrun"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="all tests run unprivileged already")


def an_interpreter() -> str | None:
    """A Python that an ordinary user can start, new enough and able to read our source."""
    for name in ("/usr/bin/python3.13", "/usr/bin/python3.12", "/usr/bin/python3.11"):
        if Path(name).exists():
            seen = subprocess.run(
                [name, "-c", f"open({str(SOURCE / 'homeport/__init__.py')!r})"],
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
                capture_output=True,
                check=False,
            )
            return name if seen.returncode == 0 else None
    return None


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A directory of nobody's, reachable by nobody (pytest's own are closed to others)."""
    place = Path(tempfile.mkdtemp(prefix="homeport-test-"))
    os.chown(place, NOBODY, NOBODY)
    yield place
    shutil.rmtree(place)


@pytest.mark.requirement("57", "F29")
@as_root
def test_rungs_when_the_server_is_an_ordinary_user_then_they_hold(theirs: Path) -> None:
    interpreter = an_interpreter()
    if interpreter is None:
        pytest.skip("no Python here that an ordinary user can start")
    done = subprocess.run(
        [interpreter, unprivileged.__file__, str(theirs), "full", "bubblewrap", "landlock", "none"],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env={"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin", "HOME": str(theirs)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    if boxes.MACHINE.launcher and results["full"]["rung"] == "full":
        assert results["full"]["exit_code"] != 0
    for choice, result in results.items():
        if result["rung"] == "unavailable":
            assert choice != "none"
            continue
        held(choice, result)
        assert OUTRUN not in result["holds"][-1]
    assert boxes.processes_with("bomb.sh") == []


@pytest.mark.requirement("F29")
@as_root
def test_rungs_when_root_has_the_rights_of_a_container_then_they_say_what_they_cannot_hold(
    tmp_path: Path,
) -> None:
    choices = ["landlock", "none"] if boxes.MACHINE.landlock else ["none"]
    program = [sys.executable, unprivileged.__file__, str(tmp_path), *choices]
    done = subprocess.run(
        [sys.executable, container_rights.__file__, *program],
        env={"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    for choice, result in json.loads(done.stdout).items():
        assert result["rung"] == choice
        held(choice, result)
        assert OUTRUN in result["holds"][-1]
    assert boxes.processes_with("bomb.sh") == []


def held(choice: str, result: dict[str, Any]) -> None:
    """It ran, the protected name is not there, the bomb was ended, no daemon is left."""
    assert result["left"] == 0, (choice, result)
    assert result["wrote"], (choice, result)
    assert result["protected"], (choice, result)
    assert result["bomb"] in {"limit", "timeout"} or "fork" in result["said"], (choice, result)
