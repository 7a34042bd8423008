"""`homeport audit`: verifies and exports the log, with the server running, stopped, or gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.exc import DBAPIError

from homeport.cli.audit_export import export_log
from homeport.cli.database import SchemaBehind, existing
from homeport.cli.exits import DONE, FAILED, USAGE
from homeport.cli.inert import inert
from homeport.cli.settings import read_settings
from homeport.eventlog.anchors import read_anchors
from homeport.eventlog.report import MOST_FINDINGS, Report
from homeport.eventlog.scan import Progress
from homeport.eventlog.seal import Seal
from homeport.eventlog.verify import verify
from homeport.eventlog.verify_export import verify_export
from homeport.kernel.db import Database
from homeport.kernel.errors import HomeportError, Invalid
from homeport.migrations import is_current
from homeport.settings import Settings
from homeport.wiring.secret import sealing_keys, secret_file

SHOWN = 20
CANNOT_CHECK = USAGE

app = typer.Typer(
    help="The audit trail: verify it, export it.", no_args_is_help=True, add_completion=False
)
app.command("export")(export_log)


class BadQuestion(Invalid):
    """The options do not go together."""

    code = "audit.bad-question"
    title = "These options do not go together"


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
    file: Annotated[
        Path | None, typer.Option(help="An export, instead of a database; `-` is standard input.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Of an export: the key that signed it (/v1/audit/head).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")] = False,
) -> None:
    """Check every hash, seal and anchor. Exit code: 0 whole, 1 damaged, 2 it cannot be checked."""
    show = _show if sys.stderr.isatty() and not as_json else None
    try:
        if file is None:
            report = _verify_log(anchor or [], stream, database, key, show)
        else:
            if stream is not None or database is not None:
                raise BadQuestion("--file goes with --anchor and --key only.")
            report = _verify_file(file, anchor or [], key, show)
    except (HomeportError, OSError, DBAPIError) as error:
        # A file that is no database, or one whose pages are cut off, answers nothing.
        print(f"homeport: it cannot be checked: {inert(str(error))}", file=sys.stderr)
        raise typer.Exit(CANNOT_CHECK) from None
    print(json.dumps(_document(report)) if as_json else _words(report))
    raise typer.Exit(FAILED if report.findings else DONE)


def _verify_log(
    given: Sequence[Path],
    stream: str | None,
    database: str | None,
    key: str | None,
    show: Progress | None,
) -> Report:
    if key is not None:
        raise BadQuestion("--key goes with --file only: a database has the server's secret beside.")
    settings = read_settings()
    anchors, trusted = _outside(settings, given)
    url = existing(settings.effective_database_url if database is None else database)
    return asyncio.run(_verify(url, stream, anchors, trusted, show))


def _verify_file(
    file: Path, given: Sequence[Path], key: str | None, show: Progress | None
) -> Report:
    """Nothing of this installation is asked: the export may be of another one."""
    anchors = [seal for path in given for seal in read_anchors(path)]
    try:
        trusted = [] if key is None else [bytes.fromhex(key)]
    except ValueError:
        raise BadQuestion("--key is hex.") from None
    with contextlib.ExitStack() as opened:
        name = str(file)
        lines = sys.stdin.buffer if name == "-" else opened.enter_context(file.open("rb"))
        report = verify_export(lines, anchors=anchors, trusted=trusted, progress=show)
    _wipe(show)
    return report


def _outside(settings: Settings, given: Sequence[Path]) -> tuple[list[Seal], set[bytes]]:
    """The anchors, those of this installation among them, and the keys that are trusted."""
    anchors = [seal for path in {*settings.anchor_files(), *given} for seal in read_anchors(path)]
    file = secret_file(settings)
    if file is not None and not file.exists():  # asking for the secrets would make it
        return anchors, set()
    return anchors, sealing_keys(settings)


async def _verify(
    url: str,
    stream: str | None,
    anchors: Sequence[Seal],
    trusted: set[bytes],
    show: Progress | None,
) -> Report:
    opened = Database(url)
    try:
        if not await is_current(opened):
            raise SchemaBehind("Start the server once, or run: homeport migrate")
        async with opened.read() as session:
            report = await verify(
                session, stream=stream, anchors=anchors, trusted=trusted, progress=show
            )
    finally:
        await opened.close()
    _wipe(show)
    return report


def _show(done: int, total: int) -> None:
    of = f"{done:,} of {total:,} events" if total else f"{done:,} lines"
    print(f"\r{of}", end="", file=sys.stderr, flush=True)


def _wipe(show: Progress | None) -> None:
    if show is not None:
        print("\r\x1b[K", end="", file=sys.stderr)


def _document(report: Report) -> dict[str, Any]:
    newest = report.last_seal
    return {
        "ok": not report.findings,
        "partial": report.partial,
        "events": report.events,
        "erased": report.erased,
        "streams": report.streams,
        "seals": report.seals,
        "anchors": report.anchors,
        "last_seal": None if newest is None else {"id": newest.id, "at": newest.at},
        "findings": [asdict(finding) for finding in report.findings],
        "unchecked": report.unchecked,
    }


def _words(report: Report) -> str:
    counted = f"{report.events:,} events in {report.streams:,} streams ({report.erased:,} erased)"
    lines = [f"{counted}, {report.seals:,} seals, {report.anchors:,} anchors."]
    for finding in report.findings[:SHOWN]:
        thing = "line" if finding.what == "line" else "seal"
        where = f"{finding.stream or thing} {finding.seq}"
        lines.append(f"DAMAGED {inert(where)}: {finding.what}: {inert(finding.detail)}")
    count = len(report.findings)
    if count > SHOWN:
        more = "or more " if count >= MOST_FINDINGS else ""
        lines.append(f"and {count - SHOWN:,} {more}others (--json names them).")
    lines += [f"Not checked: {inert(words)}." for words in report.unchecked]
    if count:
        lines.append("The log is not as it was written.")
    elif report.partial:
        lines.append("What is in the file is as it was written; it is a part of a log.")
    else:
        lines.append("The log is whole.")
    return "\n".join(lines)
