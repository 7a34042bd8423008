"""What the server keeps for itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import homeport
from homeport.settings import Settings
from homeport.wiring.people import servers_own


@pytest.mark.requirement("41")
def test_files_when_the_server_obeys_them_then_they_are_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "its.env").touch()
    monkeypatch.setenv("ENV_FILE", str(tmp_path / "its.env"))
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=f"sqlite:///{tmp_path}/rows/homeport.db",
        audit_anchor_file=tmp_path / "kept" / "seals.jsonl",
    )
    named = {"data", "its.env", "rows/homeport.db", "kept/seals.jsonl"}
    code = {Path(homeport.__file__).parent.resolve(), Path(sys.prefix).resolve()}
    assert set(servers_own(settings)) == {tmp_path.resolve() / name for name in named} | code
