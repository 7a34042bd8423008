"""One server per directory, and only its owner looks in."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from homeport.kernel.data_directory import (
    DataDirectoryInUse,
    DataDirectoryUnusable,
    data_directory_lock,
    make_data_directory,
)

HOLDER = """
import pathlib, sys, time
from homeport.kernel.data_directory import data_directory_lock
with data_directory_lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_make_data_directory_when_it_is_new_then_only_its_owner_enters(tmp_path: Path) -> None:
    make_data_directory(tmp_path / "a" / "data")
    assert stat.S_IMODE((tmp_path / "a" / "data").stat().st_mode) == 0o700


def test_make_data_directory_when_a_file_is_there_then_it_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirectoryUnusable, match="DATA_DIR"):
        make_data_directory(tmp_path / "file")


def test_lock_when_another_process_holds_it_then_refused_until_that_one_is_killed(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DataDirectoryInUse), data_directory_lock(tmp_path):
            pass
        holder.kill()
        holder.wait()
    with data_directory_lock(tmp_path):
        pass
