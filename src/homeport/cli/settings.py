"""Reads the settings for a command, and explains what is wrong with them."""

from __future__ import annotations

import sys
from typing import Any

import typer
from pydantic import ValidationError

from homeport.cli.exits import CANNOT_START
from homeport.settings import Settings


def read_settings(**given: Any) -> Settings:
    """The settings; an option of the command line that is not None beats the environment.

    Raises:
        typer.Exit: A setting is wrong; its name and its fault are on stderr, its value is not,
            but for the entry of a list of addresses.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name, said = str(fault["loc"][0]).upper(), fault["msg"].removeprefix("Value error, ")
            print(f"homeport: {name}: {said}", file=sys.stderr)
        raise typer.Exit(CANNOT_START) from None
