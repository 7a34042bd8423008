"""What the server keeps for itself."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import aiohttp
import pytest

import homeport
from homeport.settings import Settings
from homeport.wiring.people import servers_own
from support.client import ask
from support.server import Server


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
    own = servers_own(settings)
    assert {tmp_path.resolve() / name for name in named} <= set(own)
    assert not any(tmp_path.resolve().is_relative_to(each) for each in own)


@pytest.mark.requirement("41")
@pytest.mark.parametrize(
    "place",
    [
        Path(homeport.__file__).parent,
        Path(sys.prefix),
        Path(sysconfig.__file__).parent,
        Path(sysconfig.__file__).parent / "json",
        Path(sys.executable).parent,
        Path(sys.executable).resolve().parent,
        Path(pytest.__file__).parent,
        Path("/etc"),
        Path("/etc/ssl"),
    ],
    ids=str,
)
async def test_project_when_its_place_is_what_the_server_runs_on_then_it_is_refused(
    server: Server, http: aiohttp.ClientSession, place: Path
) -> None:
    body = {"name": "taken over", "path": str(place)}
    address = f"{server.base_url}/v1/projects"
    answer = await ask(http, "POST", address, headers=server.admin, json=body)
    told = await answer.json()
    assert (answer.status, told["error"]["param"]) == (403, "path"), told
    assert "server's own" in told["detail"]


@pytest.mark.requirement("41")
def test_prefix_when_other_programs_share_it_then_only_its_python_is_the_servers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "prefix", "/usr/local")
    monkeypatch.setattr(sys, "base_prefix", "/usr/local")
    own = servers_own(Settings(data_dir=tmp_path))
    assert Path("/usr/local") not in own
    assert Path(sysconfig.get_paths()["stdlib"]).resolve() in own
