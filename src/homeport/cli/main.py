"""The command line: whatever is not called is not imported.

`homeport keys list` would take three times as long if it had to load the server first.
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from homeport import __version__
from homeport.cli.collecting import nothing_collected
from homeport.cli.exits import CANNOT_START, FAILED
from homeport.cli.settings import read_settings
from homeport.kernel.errors import HomeportError

GROUPS: Final = {
    "user": "homeport.cli.user",
    "audit": "homeport.cli.audit",
    "keys": "homeport.cli.keys",
    "secrets": "homeport.cli.secrets",
}
"""Commands below a word, and the modules whose `app` they are."""


class Verbs(TyperGroup):
    """The commands, with those of `GROUPS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, for `--help` and for the shell's completion."""
        for name in GROUPS:
            self._load(name)
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, or None."""
        if cmd_name in GROUPS:
            self._load(cmd_name)
        elif cmd_name not in self.commands:
            self.list_commands(ctx)  # for the question what was meant
        return super().get_command(ctx, cmd_name)

    def _load(self, name: str) -> None:
        if name not in self.commands:
            with nothing_collected():
                module = import_module(GROUPS[name])
            group = typer.main.get_command(module.app)
            group.name = name  # what --help shows; `add_command` leaves it
            self.add_command(group, name)


app = typer.Typer(
    name="homeport",
    cls=Verbs,
    help="The self-hosted server that a coding agent sails from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 the server cannot start, 130 interrupted.",
)
AsJSON = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]


def _version(value: bool) -> None:
    if value:
        print(f"homeport {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """The self-hosted server that a coding agent sails from."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (PORT).")] = None,
) -> None:
    """Serve the API until SIGTERM or Ctrl-C."""
    with nothing_collected():
        from homeport.cli.serve import run_server

    settings = read_settings(host=host, port=port)
    try:
        run_server(settings)
    except HomeportError as error:
        raise _refusal(error, CANNOT_START) from None


@app.command()
def demo(
    model: Annotated[str, typer.Option(help="`demo`, or a real one (ANTHROPIC_API_KEY).")] = "demo",
    pace: Annotated[float, typer.Option(min=0, help="Scales every pause; 0: no pause.")] = 1.0,
    keep: Annotated[bool, typer.Option("--keep", help="Leave repository and log there.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Write what is seen as an SVG.")] = None,
    as_json: AsJSON = False,
) -> None:
    """Show the main job in a minute, on a server and a repository of its own."""
    from homeport.cli.demo import Options, run_demo

    settings = read_settings()
    options = Options(model=model, pace=pace, keep=keep, picture=picture)
    try:
        report = run_demo(settings, options, quiet=as_json)
    except HomeportError as error:
        raise _refusal(error, FAILED) from None
    if as_json:
        print(json.dumps(report))


@app.command()
def migrate(
    to: Annotated[str, typer.Option(help="Revision; `base` removes everything.")] = "head",
    yes: Annotated[bool, typer.Option("--yes", help="Go down without a question.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Bring the database to this version's schema."""
    from homeport.cli.migrate import move_schema

    settings = read_settings()
    try:
        revision = asyncio.run(move_schema(settings, to, confirmed=yes))
    except HomeportError as error:
        raise _refusal(error, FAILED) from None
    print(json.dumps({"revision": revision}) if as_json else f"The schema is at {revision}.")


@app.command()
def pair(
    code: Annotated[str | None, typer.Argument(help="The code that the device shows.")] = None,
    name: Annotated[str, typer.Option("--user", help="Whose account it gets into.")] = "admin",
    url: Annotated[str | None, typer.Option(help="Where the phone reaches the server.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not show the device and ask.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Sign a phone in by a QR code and a few letters, without a password."""
    from homeport.cli.pair import pair_device

    pair_device(code=code, name=name, url=url, yes=yes, as_json=as_json)


@app.command()
def openapi(
    output: Annotated[Path | None, typer.Option(help="Write to a file, not to stdout.")] = None,
) -> None:
    """Print the API's contract (OpenAPI 3.1, JSON)."""
    from homeport.cli.openapi import contract

    if output is None:
        print(contract(), end="")
    else:
        output.write_text(contract(), encoding="utf-8")


@app.command("events-doc")
def events_doc() -> None:
    """Print what the log can record (docs/events.md)."""
    from homeport.cli.events_doc import document

    print(document(), end="")


def _refusal(error: HomeportError, code: int) -> typer.Exit:
    print(f"homeport: {error.title}. {error.detail} ({error.code})", file=sys.stderr)
    return typer.Exit(code)
