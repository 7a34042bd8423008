"""Reads the settings for a command, and explains what is wrong with them."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from homeport.cli.exits import CANNOT_START
from homeport.settings import Settings, SettingsFileUnreadable, env_file, names_in_file

ALIKE = 0.8
"""How much of two names is the same; one letter more, less or other is above it."""


def read_settings(**given: Any) -> Settings:
    """The settings; an option of the command line that is not None beats the environment.

    Raises:
        typer.Exit: The file of settings cannot be read, or a setting is wrong; its name and its
            fault are on stderr, its value is not, but for the entry of a list of addresses.
    """
    _tell_of_another_file()
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        _tell_of_misspelt_names()
    except SettingsFileUnreadable as error:
        print(f"homeport: {error.title}. {error.detail} ({error.code})", file=sys.stderr)
        raise typer.Exit(CANNOT_START) from None
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name, said = str(fault["loc"][0]).upper(), fault["msg"].removeprefix("Value error, ")
            print(f"homeport: {name}: {said}", file=sys.stderr)
        raise typer.Exit(CANNOT_START) from None
    return settings


def _tell_of_misspelt_names() -> None:
    """Says which names of the file set nothing: `REGISTRATON=closed` would leave it open."""
    for name in names_in_file():
        if name in Settings.model_fields:
            continue
        if meant := get_close_matches(name, Settings.model_fields, n=1, cutoff=ALIKE):
            said = f"{name.upper()} is no setting; is {meant[0].upper()} meant?"
            print(f"homeport: {env_file()}: {said}", file=sys.stderr)


def _tell_of_another_file() -> None:
    """Says that the `.env` of this directory is not read, when it looks as if it were meant."""
    here = Path(".env").resolve()
    if here == env_file() or not here.is_file():
        return
    lines = here.read_text(encoding="utf-8", errors="replace").splitlines()
    names = {line.partition("=")[0].removeprefix("export ").strip().lower() for line in lines}
    if names & set(Settings.model_fields):
        print(f"homeport: {here} is not read; ENV_FILE={here} would name it.", file=sys.stderr)
