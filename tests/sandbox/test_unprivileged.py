"""The same rungs for a server that does not run as root, when the tests do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import homeport
from support import boxes, unprivileged

NOBODY = 65534
SOURCE = Path(homeport.__file__).parents[1]


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
@pytest.mark.skipif(os.geteuid() != 0, reason="all tests run unprivileged already")
def test_rungs_when_the_server_is_an_ordinary_user_then_they_hold(theirs: Path) -> None:
    interpreter = an_interpreter()
    if interpreter is None:
        pytest.skip("no Python here that an ordinary user can start")
    done = subprocess.run(
        [interpreter, unprivileged.__file__, str(theirs)],
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
        assert result["wrote"], (choice, result)
        assert result["protected"], (choice, result)
        assert result["bomb"] in {"limit", "timeout"} or "fork" in result["said"], (choice, result)
    assert boxes.processes_with("bomb.sh") == []
