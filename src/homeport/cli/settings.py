"""Reads the settings for a command, and explains what is wrong with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from homeport.cli.exits import CANNOT_START
from homeport.settings import Settings, env_file


def read_settings(**given: Any) -> Settings:
    """The settings; an option of the command line that is not None beats the environment.

    Raises:
        typer.Exit: A setting is wrong; its name and its fault are on stderr, its value is not,
            but for the entry of a list of addresses.
    """
    _tell_of_another_file()
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name, said = str(fault["loc"][0]).upper(), fault["msg"].removeprefix("Value error, ")
            print(f"homeport: {name}: {said}", file=sys.stderr)
        raise typer.Exit(CANNOT_START) from None


def _tell_of_another_file() -> None:
    """Says that the `.env` of this directory is not read, when it looks as if it were meant."""
    here = Path(".env").resolve()
    if here == env_file() or not here.is_file():
        return
    lines = here.read_text(encoding="utf-8", errors="replace").splitlines()
    names = {line.partition("=")[0].removeprefix("export ").strip().lower() for line in lines}
    if names & set(Settings.model_fields):
        print(f"homeport: {here} is not read; ENV_FILE={here} would name it.", file=sys.stderr)
