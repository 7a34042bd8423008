"""PostgreSQL without its driver: one line that says what to do, by the exit code of each command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ABSENT = 'raise ModuleNotFoundError("No module named \'asyncpg\'", name="asyncpg")\n'
URL = "postgresql://u:hunter2@127.0.0.1:1/d"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("serve", "--port", "0"), 3),
        (("migrate",), 1),
        (("user", "list"), 1),
        (("audit", "verify", "--database", URL), 2),
    ],
)
def test_command_when_the_driver_is_missing_then_one_line_says_how_to_install_it(
    tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "asyncpg.py").write_text(ABSENT)
    ended = subprocess.run(
        [sys.executable, "-m", "homeport", *words],
        cwd=tmp_path,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(absent),
            "DATA_DIR": str(tmp_path / "data"),
            "DATABASE_URL": URL,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert "make postgres" in line
    assert "hunter2" not in line
