"""What the nursery forks is a process like one that was started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from support.nursery import Child, nursery

FOREVER = ("serve", "--port", "0")


def begun(folder: Path, *words: str, **env: str) -> Child:
    settings = {"PATH": os.defpath, "DATA_DIR": str(folder / "data"), "SANDBOX": "none", **env}
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return nursery().start(words, env=settings, cwd=folder, out=out, err=err)


def test_child_when_it_ends_then_its_code_environment_and_output_are_its_own(
    tmp_path: Path,
) -> None:
    assert begun(tmp_path, "migrate", "--json").wait(60) == 0
    assert "revision" in json.loads((tmp_path / "out").read_text())
    assert (tmp_path / "data" / "homeport.db").exists()
    assert begun(tmp_path, *FOREVER, LEASE_TTL="nothing").wait(60) == 3
    assert "LEASE_TTL" in (tmp_path / "err").read_text()


def test_child_when_it_is_told_to_end_or_killed_then_its_code_says_so(tmp_path: Path) -> None:
    stopped = begun(tmp_path, *FOREVER, DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    assert stopped.wait(60) == 3
    killed = begun(tmp_path, *FOREVER)
    with pytest.raises(subprocess.TimeoutExpired):
        killed.wait(0)
    killed.kill()
    assert killed.wait(60) == -signal.SIGKILL
    killed.send_signal(signal.SIGKILL)  # to nobody: the number may be another's by now
    assert killed.poll() == -signal.SIGKILL
