# ruff: noqa: INP001 - a script
"""Writes the files that are made from the code, or says which of them is not current.

Usage: generate.py [--check] [FILE ...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from homeport.cli.events_doc import document as events
from homeport.cli.openapi import contract
from homeport.cli.roles_doc import document as roles
from homeport.settings import Settings

ROOT = Path(__file__).parents[1]


def env_example() -> str:
    """`.env.example`: every setting with its default, commented out."""
    lines = [
        "# Everything that can be set, with its default. Nothing has to be set.",
        "# Copy to .env in the checkout, or to a file that ENV_FILE names, or set it in the",
        "# environment. Made from homeport/settings.py.",
    ]
    for name, field in Settings.model_fields.items():
        lines += ["", f"# {_meaning(field)}", f"#{name.upper()}={_default(field)}"]
    return "\n".join(lines) + "\n"


def _meaning(field: FieldInfo) -> str:
    words: tuple[object, ...] = get_args(field.annotation)
    choice = " | ".join(word for word in words if isinstance(word, str))
    return "; ".join(part for part in (field.description, choice) if part) or "see the reference"


def _default(field: FieldInfo) -> str:
    value: object = field.get_default()
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, tuple):
        return ",".join(str(part) for part in cast("tuple[object, ...]", value))
    return str(value).lower() if isinstance(value, bool) else str(value)


DOCUMENTS: Mapping[str, Callable[[], str]] = {
    ".env.example": env_example,
    "docs/events.md": events,
    "docs/openapi.json": contract,
    "docs/roles.md": roles,
}


def main(arguments: list[str]) -> int:
    """Writes or checks; returns the exit code."""
    check = "--check" in arguments
    names = [name for name in arguments if name != "--check"] or list(DOCUMENTS)
    stale: list[str] = []
    for name in names:
        path, made = ROOT / name, DOCUMENTS[name]()
        if not path.exists() or path.read_text(encoding="utf-8") != made:
            stale.append(name)
            if not check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(made, encoding="utf-8")
    if check and stale:
        sys.stderr.write(f"not current: {', '.join(stale)}; run scripts/generate.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
