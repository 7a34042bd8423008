"""What a set-up says when it cannot go on, and that the next one goes on from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9/simple"
"""An index that is not reached: nobody listens on the port of `discard`."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """As much of the repository as a set-up reads, at a path with spaces."""
    folder = tmp_path / "my code & more"
    folder.mkdir()
    for name in ("src", "tests"):
        (folder / name).mkdir()
    for name in ("scripts", "requirements"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(clone: Path, *arguments: str, **pip: str) -> subprocess.CompletedProcess[str]:
    """Runs make; `pip` are settings of pip."""
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251
        "HOME": str(clone),
        "PIP_CONFIG_FILE": os.devnull,
        **{f"PIP_{name.upper()}": value for name, value in pip.items()},
    }
    return subprocess.run(
        ["make", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=clone,
        env=environment,
    )


def pretend(clone: Path, script: str) -> str:
    """A Python that only does this."""
    program = clone / "python-pretended"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return f"PYTHON=./{program.name}"


def test_setup_when_python_is_too_old_then_it_says_so_and_how_to_name_another(clone: Path) -> None:
    old = pretend(clone, 'case "$*" in --version) echo Python 3.9.2 ;; *) exit 1 ;; esac')
    result = make(clone, "run", old)
    assert result.returncode != 0
    assert "Python 3.9.2 is too old, 3.11 is needed: make run PYTHON=python3.11" in result.stderr
    assert not (clone / ".venv").exists()


def test_setup_when_there_is_no_python_then_it_says_what_to_install(clone: Path) -> None:
    result = make(clone, "run", "PYTHON=no-python-here")
    assert result.returncode != 0
    assert "no-python-here is missing: install Python 3.11 or newer." in result.stderr


def test_setup_when_python_has_no_ensurepip_then_the_environment_is_made_all_the_same(
    clone: Path,
) -> None:
    (clone / "ensurepip.py").write_text("raise ImportError('not on Debian')", encoding="utf-8")
    bare = pretend(clone, f'PYTHONPATH="$PWD" exec "{sys.executable}" "$@"')
    made = make(clone, ".venv/.made", bare)
    assert made.returncode == 0, made.stderr
    (pip,) = (clone / "requirements").glob("pip-*.whl")
    program = [clone / ".venv/bin/python", pip / "pip", "--version"]
    assert (
        pip.name.split("-")[1]
        in subprocess.run(program, check=True, capture_output=True, text=True).stdout
    )


def test_setup_when_the_index_is_not_reached_then_it_says_so_and_goes_on_later(clone: Path) -> None:
    first = make(clone, "run", f"PYTHON={sys.executable}", index_url=NOWHERE, retries="1")
    assert first.returncode != 0
    assert first.stdout.count("done") == 1
    assert "The package index was not reached." in first.stderr
    assert "Retrying" not in first.stderr
    again = make(clone, "run", f"PYTHON={sys.executable}", index_url=NOWHERE, retries="1")
    assert "1/3" not in again.stdout
    assert "2/3" in again.stdout


def test_setup_when_a_platform_has_no_servers_then_the_tools_are_enough(clone: Path) -> None:
    made = make(clone, ".venv/.made", f"PYTHON={sys.executable}")
    assert made.returncode == 0, made.stderr
    for stamp in (".runtime", ".package", ".dev"):
        (clone / ".venv" / stamp).touch()
    empty = clone / "an index"
    empty.mkdir()
    result = make(clone, ".venv/.servers", no_index="1", find_links=str(empty))
    assert result.returncode == 0, result.stderr
    assert "not for this platform" in result.stdout


def test_setup_when_the_clone_was_moved_then_it_says_what_to_do(clone: Path) -> None:
    made = make(clone, ".venv/.made", f"PYTHON={sys.executable}")
    assert made.returncode == 0, made.stderr
    moved = clone.rename(clone.with_name("elsewhere"))
    refused = make(moved, "run")
    assert refused.returncode != 0
    assert "make clean, then the same again" in refused.stderr
    assert make(moved, "clean").returncode == 0
    assert make(moved, ".venv/.made", f"PYTHON={sys.executable}").returncode == 0


def test_lock_when_the_pip_beside_it_was_changed_then_the_check_says_so(clone: Path) -> None:
    (wheel,) = (clone / "requirements").glob("pip-*.whl")
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    command = [sys.executable, clone / "scripts" / "check_locks.py"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert f"{wheel.name}: is not what pip.lock names" in result.stderr
