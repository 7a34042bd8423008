"""`homeport serve` as a process: how it starts, refuses to start, answers, and ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from homeport.migrations import HEAD
from support.client import ask
from support.server import MakeServer, Server, ServerFailed


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs a verb to its end."""
    return subprocess.run(
        [sys.executable, "-m", "homeport", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env=dict(Server(folder, **settings).environment()),
    )


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
def test_serve_when_told_to_end_then_it_ends_with_0_and_says_nothing_bad(
    make_server: MakeServer, with_signal: signal.Signals
) -> None:
    server = make_server()
    assert server.stop(with_signal) == 0
    assert server.log_events("server.draining")
    assert "Traceback" not in server.log()


def test_serve_when_killed_then_it_starts_again_on_the_same_data(make_server: MakeServer) -> None:
    server = make_server()
    address = server.base_url
    server.restart()
    assert server.base_url == address


def test_serve_when_it_starts_then_the_data_directory_is_its_own(make_server: MakeServer) -> None:
    server = make_server()
    assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
    with pytest.raises(ServerFailed, match="data-directory-in-use"):
        make_server(DATA_DIR=str(server.data_dir))


def test_program_when_its_directory_has_modules_then_none_is_imported(tmp_path: Path) -> None:
    for name in ("typer", "uvicorn", "orjson"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken')\n")
    told = run(tmp_path, "serve", "--help")
    assert (told.returncode, told.stderr) == (0, "")


def test_serve_when_the_port_is_taken_then_it_says_so_and_exits_with_3(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run(tmp_path, "serve", "--port", str(taken.getsockname()[1]))
    assert result.returncode == 3
    assert "server.port-taken" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("host", ["300.1.1.1", "192.0.2.1", f"{'x' * 64}.test"])
def test_serve_when_its_address_is_none_of_this_machine_then_it_is_named_with_3(
    tmp_path: Path, host: str
) -> None:
    result = run(tmp_path, "serve", "--host", host, "--port", "0")
    assert result.returncode == 3, result.stderr
    assert f"{host} is no address of this machine" in result.stderr
    assert "server.address-unknown" in result.stderr
    assert "Traceback" not in result.stderr


def test_serve_when_settings_are_wrong_then_each_is_named_and_no_secret_is_shown(
    tmp_path: Path,
) -> None:
    wrong = {
        "RUN_MAX_TURNS": "hunter2hunter2",
        "PUBLIC_URL": "https://ada:hunter2@home.test",
        "CORS_ORIGINS": "https://app.test,home.test",
        "TRUSTED_HOSTS": "home.test:8443",
        "TRUSTED_PROXIES": "127.0.0.1, 10.0.0.5/8",
    }
    result = run(tmp_path, "serve", **wrong)
    assert result.returncode == 3
    lines = result.stderr.splitlines()
    assert {line.split(": ")[1] for line in lines} == set(wrong)
    for shown in ("'home.test' is no origin", "'home.test:8443' is no host", "10.0.0.5/8 has host"):
        assert shown in result.stderr
    assert "hunter2" not in result.stderr


@pytest.mark.requirement("7")
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "http://home.test"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://home.test", "CORS_ORIGINS": "*"}, "CORS_ORIGINS"),
        ({"PUBLIC_URL": "https://home.test", "SECRET_KEY": "change-me"}, "SECRET_KEY"),
        ({"PUBLIC_URL": "https://home.test", "DEBUG": "true"}, "DEBUG"),
    ],
)
def test_serve_when_production_is_not_safe_then_it_refuses(
    tmp_path: Path, settings: dict[str, str], named: str
) -> None:
    result = run(tmp_path, "serve", "--port", "0", ENVIRONMENT="production", **settings)
    assert result.returncode == 3
    assert named in result.stderr
    assert "change-me" not in result.stderr


@pytest.mark.requirement("64")
async def test_serve_when_in_production_then_pages_are_hidden_and_health_is_short(
    make_server: MakeServer, http: aiohttp.ClientSession
) -> None:
    server = make_server(ENVIRONMENT="production", PUBLIC_URL="https://home.test")
    for path in ("/docs", "/redoc", "/openapi.json", "/docs/reference.js"):
        assert (await ask(http, "GET", server.base_url + path)).status == 404
    ready = await (await ask(http, "GET", f"{server.base_url}/readyz")).json()
    assert all(state["detail"] == {} for state in ready["components"].values())


@pytest.mark.parametrize(
    "sent",
    [
        b"BREW /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_connection_when_it_is_not_http_then_the_document_says_so(
    server: Server, sent: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base_url.split(":")[2]))
    writer.write(sent)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 400")
    assert b"server:" not in head.lower()
    assert json.loads(body)["type"] == "urn:homeport:error:request.not-http"


async def test_connection_when_a_head_never_ends_then_it_is_cut(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base_url.split(":")[2]))
    writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: ")

    async def flood() -> None:
        for _ in range(64):
            writer.write(b"a" * (1 << 16))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.readexactly(1 << 20)

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await flood()
    writer.close()


async def test_serve_when_sigterm_meets_an_open_request_then_the_answer_is_finished(
    make_server: MakeServer,
) -> None:
    server = make_server()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base_url.split(":")[2]))
    writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
    os.kill(server.pid, signal.SIGTERM)
    writer.write(b"\r\n")
    answer = await reader.read()
    writer.close()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 200")
    assert await asyncio.to_thread(server.stop) == 0


def test_migrate_when_called_then_the_schema_is_there_and_can_go(tmp_path: Path) -> None:
    up = run(tmp_path, "migrate", "--json")
    assert json.loads(up.stdout) == {"revision": HEAD}
    down = run(tmp_path, "migrate", "--to", "base", "--yes")
    assert down.returncode == 0
    assert "base" in down.stdout


@pytest.mark.parametrize(("typed", "code"), [("", 1), ("y\n", 1), ("yes\n", 0)])
def test_migrate_when_it_would_erase_then_it_does_so_only_after_a_typed_yes(
    tmp_path: Path, typed: str, code: int
) -> None:
    assert run(tmp_path, "migrate").returncode == 0
    down = subprocess.run(
        [sys.executable, "-m", "homeport", "migrate", "--to", "base"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        input=typed,
        env=dict(Server(tmp_path).environment()),
    )
    assert (down.returncode, "loses EVERYTHING" in down.stderr) == (code, True)
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "homeport.db")) as database:
        found = database.execute("SELECT version_num FROM alembic_version").fetchall()
    assert found == ([] if code == 0 else [(HEAD,)])


async def test_readyz_when_the_schema_went_away_then_503_names_it(
    make_server: MakeServer, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    server = make_server()
    gone = run(tmp_path, "migrate", "--to", "base", "--yes", DATA_DIR=str(server.data_dir))
    assert gone.returncode == 0, gone.stderr
    answer = await ask(http, "GET", f"{server.base_url}/readyz")
    assert answer.status == 503
    components = (await answer.json(content_type="application/problem+json"))["components"]
    assert (components["migrations"]["ok"], components["audit"]["ok"]) == (False, False)
    assert components["database"]["ok"]


def test_migrate_when_the_revision_is_unknown_then_it_exits_with_1(tmp_path: Path) -> None:
    result = run(tmp_path, "migrate", "--to", "9999_future")
    assert result.returncode == 1
    assert "storage.schema-unknown" in result.stderr


def test_openapi_when_printed_twice_then_it_is_the_same(tmp_path: Path) -> None:
    first, second = run(tmp_path, "openapi"), run(tmp_path, "openapi", PORT="9")
    assert json.loads(first.stdout)["openapi"].startswith("3.1")
    assert first.stdout == second.stdout


def test_version_when_asked_then_it_is_said(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout.startswith("homeport 0.")


def test_command_line_when_not_understood_then_it_exits_with_2(tmp_path: Path) -> None:
    assert run(tmp_path, "dance").returncode == 2
