"""`homeport audit`: verifies the log, with the server running, stopped, or gone."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from homeport.cli.database import SchemaBehind
from homeport.cli.exits import DONE, FAILED, USAGE
from homeport.cli.inert import inert
from homeport.cli.settings import read_settings
from homeport.eventlog.anchors import read_anchors
from homeport.eventlog.report import MOST_FINDINGS, Report
from homeport.eventlog.seal import Seal, SealingKey
from homeport.eventlog.verify import verify
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import Database
from homeport.kernel.errors import HomeportError
from homeport.migrations import is_current
from homeport.settings import Settings
from homeport.wiring.secret import secret_file, secrets_of

SHOWN = 20
CANNOT_CHECK = USAGE
_SQLITE = "sqlite:///"

app = typer.Typer(help="The audit trail: verify it.", no_args_is_help=True)


@app.callback()
def options() -> None:
    """The audit trail."""


@app.command("verify")
def verify_log(
    anchor: Annotated[
        list[Path] | None,
        typer.Option(help="An anchor file kept elsewhere; may be given several times."),
    ] = None,
    stream: Annotated[
        str | None, typer.Option(help="Only this stream, for example account:<id>.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="SQLite file or PostgreSQL URL (DATABASE_URL).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")] = False,
) -> None:
    """Check every hash, seal and anchor. Exit code: 0 whole, 1 damaged, 2 it cannot be checked."""
    settings = read_settings()
    shows = sys.stderr.isatty() and not as_json
    try:
        anchors, trusted = _outside(settings, anchor or [])
        url = _url(settings.effective_database_url if database is None else database)
        report = asyncio.run(_verify(url, stream, anchors, trusted, shows=shows))
    except (HomeportError, OSError) as error:
        print(f"homeport: it cannot be checked: {inert(str(error))}", file=sys.stderr)
        raise typer.Exit(CANNOT_CHECK) from None
    print(json.dumps(_document(report)) if as_json else _words(report))
    raise typer.Exit(FAILED if report.findings else DONE)


def _outside(settings: Settings, given: Sequence[Path]) -> tuple[list[Seal], set[bytes]]:
    """The anchors, those of this installation among them, and the keys that are trusted."""
    own = sorted(settings.anchor_path.parent.glob("*.jsonl"))
    anchors = [seal for path in {*own, *given} for seal in read_anchors(path)]
    file = secret_file(settings)
    if file is not None and not file.exists():  # asking for the secrets would make it
        return anchors, set()
    return anchors, {SealingKey(KeyRing(secret)).public for secret in secrets_of(settings)}


def _url(database: str) -> str:
    file = database.removeprefix(_SQLITE)
    if "://" in file:
        return database
    if not Path(file).is_file():  # opening it would make it
        raise FileNotFoundError(f"there is no file {file}")
    return f"{_SQLITE}{Path(file).resolve()}"


async def _verify(
    url: str, stream: str | None, anchors: Sequence[Seal], trusted: set[bytes], *, shows: bool
) -> Report:
    opened = Database(url)
    try:
        if not await is_current(opened):
            raise SchemaBehind("Start the server once, or run: homeport migrate")
        async with opened.read() as session:
            report = await verify(
                session,
                stream=stream,
                anchors=anchors,
                trusted=trusted,
                progress=_show if shows else None,
            )
    finally:
        await opened.close()
    if shows:
        print("\r\x1b[K", end="", file=sys.stderr)
    return report


def _show(done: int, total: int) -> None:
    print(f"\r{done:,} of {total:,} events", end="", file=sys.stderr, flush=True)


def _document(report: Report) -> dict[str, Any]:
    newest = report.last_seal
    return {
        "ok": not report.findings,
        "events": report.events,
        "erased": report.erased,
        "streams": report.streams,
        "seals": report.seals,
        "anchors": report.anchors,
        "last_seal": None if newest is None else {"id": newest.id, "at": newest.at},
        "findings": [asdict(finding) for finding in report.findings],
    }


def _words(report: Report) -> str:
    counted = f"{report.events:,} events in {report.streams:,} streams ({report.erased:,} erased)"
    lines = [f"{counted}, {report.seals:,} seals, {report.anchors:,} anchors."]
    for finding in report.findings[:SHOWN]:
        where = f"{finding.stream or 'seal'} {finding.seq}"
        lines.append(f"DAMAGED {inert(where)}: {finding.what}: {inert(finding.detail)}")
    count = len(report.findings)
    if count > SHOWN:
        more = "or more " if count >= MOST_FINDINGS else ""
        lines.append(f"and {count - SHOWN:,} {more}others (--json names them).")
    lines.append("The log is whole." if not count else "The log is not as it was written.")
    return "\n".join(lines)
