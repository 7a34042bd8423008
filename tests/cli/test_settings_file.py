"""Which file a server takes its settings from: its own, never that of where it is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from homeport import settings
from homeport.settings import Settings, env_file

FOREIGN = "DATABASE_URL=mysql://of.somebody/else\nANTHROPIC_BASE_URL=https://evil.example\n"


def migrated(folder: Path, **named: str) -> subprocess.CompletedProcess[str]:
    """`homeport migrate`, started in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "homeport", "migrate"],
        cwd=folder,
        env={"PATH": os.defpath, "DATA_DIR": str(folder / "data"), **named},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_command_when_started_in_a_directory_with_a_foreign_file_then_it_is_not_read_and_told(
    tmp_path: Path,
) -> None:
    (tmp_path / ".env").write_text(FOREIGN)
    ended = migrated(tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "data" / "homeport.db").exists()
    assert f"{tmp_path / '.env'} is not read" in ended.stderr
    named = migrated(tmp_path, ENV_FILE=".env")
    assert named.returncode != 0
    assert "is not read" not in named.stderr
    assert "DATABASE_URL" in named.stderr


@pytest.mark.parametrize("named", ["its.env", "folder", "latin.env", "latin.env/its.env"])
def test_command_when_its_file_cannot_be_read_then_it_ends_with_3_and_names_it(
    tmp_path: Path, named: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin.env").write_bytes(b"REGISTRATION=closed\nPUBLIC_URL=\xe4\n")
    ended = migrated(tmp_path, ENV_FILE=named)
    assert ended.returncode == 3, ended.stderr
    assert str(tmp_path / named) in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()


def test_command_when_a_name_in_its_file_is_misspelt_then_the_one_meant_is_told(
    tmp_path: Path,
) -> None:
    (tmp_path / "its.env").write_text("REGISTRATON=closed\nEDITOR=vi\nLOG_LEVEL=ERROR\n")
    ended = migrated(tmp_path, ENV_FILE="its.env")
    assert ended.returncode == 0, ended.stderr
    told = [line for line in ended.stderr.splitlines() if "is no setting" in line]
    said = "REGISTRATON is no setting; is REGISTRATION meant?"
    assert told == [f"homeport: {tmp_path / 'its.env'}: {said}"]


def test_data_dir_when_it_is_empty_then_it_is_as_if_it_were_not_set(tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    ended = migrated(here, DATA_DIR="", HOME=str(home))
    assert ended.returncode == 0, ended.stderr
    assert (home / ".homeport" / "homeport.db").exists()
    assert list(here.iterdir()) == []


def test_file_when_nobody_names_one_then_it_is_the_checkouts_and_only_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENV_FILE", raising=False)
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.setattr(settings, "CHECKOUT", tmp_path)
    (tmp_path / ".env").write_text("PORT=4711\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert env_file() is None
    assert Settings().port == 8000
    monkeypatch.chdir(tmp_path)
    assert env_file() == tmp_path / ".env"
    assert Settings().port == 4711
    monkeypatch.setenv("PORT", "4712")
    assert Settings().port == 4712
