"""What lies on the disk is its owner's alone, and a command that only looks leaves nothing."""

from __future__ import annotations

import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.server import MakeServer, Server

PATIENCE_S = 30.0


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs a verb to its end, under a umask that keeps nothing from anybody."""
    return subprocess.run(
        [sys.executable, "-m", "homeport", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        umask=0,
        env=dict(Server(folder, **settings).environment()),
    )


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


@pytest.mark.parametrize(
    ("words", "code"), [(("user", "list"), 1), (("keys", "list"), 1), (("audit", "verify"), 2)]
)
def test_command_when_there_is_no_database_then_it_says_so_and_makes_nothing(
    tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    ended = run(tmp_path, *words)
    assert (ended.returncode, ended.stdout) == (code, "")
    told = f"There is no database yet at {tmp_path / 'data' / 'homeport.db'}: start the server once"
    assert told in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_migrate_when_the_umask_keeps_nothing_then_what_it_makes_is_private(
    tmp_path: Path,
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    database = elsewhere / "x.db"
    ended = run(tmp_path, "migrate", DATABASE_URL=f"sqlite:///{database}")
    assert ended.returncode == 0, ended.stderr
    assert (mode(database), mode(tmp_path / "data")) == ("0600", "0700")
    assert mode(elsewhere) == "0755"


def test_serve_when_older_files_are_open_to_others_then_they_are_closed_and_it_says_so(
    tmp_path: Path, make_server: MakeServer
) -> None:
    data, elsewhere = tmp_path / "given", tmp_path / "elsewhere"
    for folder in (data, elsewhere):
        folder.mkdir()
        folder.chmod(0o755)
    (data / "homeport.db").touch(0o644)
    (data / "homeport.db").chmod(0o644)
    anchors = elsewhere / "anchors.jsonl"
    server = make_server(DATA_DIR=str(data), AUDIT_ANCHOR_FILE=str(anchors), DATABASE_URL="")
    assert mode(data) == "0700"
    (told,) = server.log_events("data-directory.tightened")
    assert told["mode"] == "0755"
    files = [data / f"homeport.db{end}" for end in ("", "-wal", "-shm")]
    assert [mode(file) for file in files] == ["0600"] * 3
    deadline = time.monotonic() + PATIENCE_S
    while not anchors.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert mode(anchors) == "0600"
    server.kill()
    for file in (*files, anchors):
        file.chmod(0o644)
    server.start()
    assert [mode(file) for file in files] == ["0600"] * 3
    deadline = time.monotonic() + PATIENCE_S
    while mode(anchors) != "0600" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert mode(anchors) == "0600"


def test_serve_when_the_directory_is_of_other_things_then_it_stays_as_it_is(
    tmp_path: Path, make_server: MakeServer
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "of-another-program").touch()
    make_server(DATA_DIR=str(shared), DATABASE_URL=f"sqlite:///{tmp_path / 'x.db'}")
    assert mode(shared) == "0755"
