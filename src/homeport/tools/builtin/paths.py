"""Paths as the model writes them, made workspace-relative; and what it may have meant."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import Any

from homeport.files.errors import FileNotFound, OutsideWorkspace
from homeport.files.paths import parts_of
from homeport.files.workspace import Workspace
from homeport.kernel.errors import HomeportError

SHOWN = 200
# What would break a line, or change how the rest of it looks.
UNRULY = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
NEIGHBOURS = 2_000
FILE_PATH: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 4096,
    "description": "Path of the file, relative to the root of the project.",
}
FOLDER_PATH: dict[str, Any] = {
    "type": "string",
    "maxLength": 4096,
    "description": "Folder to look in, relative to the root of the project. Default: all of it.",
}


def relative(workspace: Workspace, path: str) -> str:
    """`path` relative to the workspace; an absolute one must lie in it by its text.

    Where the path really leads, `Workspace` judges when it is used.

    Raises:
        OutsideWorkspace: An absolute path elsewhere.
        BadPath: No file system could hold it.
    """
    if path.startswith("/"):
        root = str(workspace.root)
        if path != root and not path.startswith(root + "/"):
            shown = path if len(path) <= SHOWN else path[:SHOWN] + "…"
            raise OutsideWorkspace(f"{shown} is outside the project.", param="path")
        path = path[len(root) :].lstrip("/")
    return "/".join(parts_of(path))


def one_line(path: str) -> str:
    """A path as it stands in a list: one that could pass for several comes as a JSON string."""
    return json.dumps(path) if UNRULY.search(path) else path


def missing(workspace: Workspace, path: str) -> FileNotFound:
    """The error for a file that is not there; names what is called nearly the same. Blocks."""
    folder, _, name = path.rpartition("/")
    try:
        names = [entry.name for entry in workspace.list(folder, limit=NEIGHBOURS).entries]
    except HomeportError:
        names = []
    near = get_close_matches(name, names, n=3)
    prefix = f"{folder}/" if folder else ""
    guess = f" Similar: {', '.join(one_line(prefix + each) for each in near)}." if near else ""
    return FileNotFound(f"There is no {path}.{guess}", param="path")
