"""What is generated says what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_env_example_when_compared_with_the_settings_then_it_is_current() -> None:
    command = [sys.executable, ROOT / "scripts" / "generate.py", "--check", ".env.example"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_locks_when_compared_with_the_project_then_they_fit() -> None:
    command = [sys.executable, ROOT / "scripts" / "check_locks.py"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
