"""Glob: finds files by name."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from homeport.files.errors import SearchEnded
from homeport.files.search import bounded, glob
from homeport.files.workspace import Workspace
from homeport.tools.builtin.paths import FOLDER_PATH, one_line, relative
from homeport.tools.builtin.threads import stoppable
from homeport.tools.port import ToolContext, ToolResult, ToolSpec

PAGE = 500
CHARACTERS = 60_000
SECONDS = 20.0
DESCRIPTION = f"""\
Finds files of the project by name.

- `*` and `?` stay within a name, `**` spans folders, `{{a,b}}` are alternatives: `**/*.py`, \
`src/**/test_*.{{ts,tsx}}`. A pattern without a slash fits a file name in any folder.
- Patterns are relative to `path`; the answer's paths are relative to the root of the project, \
sorted, at most {PAGE} at once.
- What .gitignore names is left out, and so is .git.
- To look for content use Grep."""


class Glob:
    """Lists files whose path fits a pattern."""

    spec = ToolSpec(
        name="Glob",
        description=DESCRIPTION,
        input_schema={
            "type": "object",
            "properties": {
                "pattern": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "description": "The pattern that paths must fit.",
                },
                "path": FOLDER_PATH,
                "offset": {
                    "type": "integer",
                    "minimum": 0,
                    "description": "How many of the first files to leave out, to read on.",
                },
            },
            "required": ["pattern"],
            "additionalProperties": False,
        },
        effect="read",
        idempotent=True,
    )

    async def run(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        """Looks.

        Raises:
            HomeportError: See `files.errors`; told by the guard.
        """
        workspace = context.workspace
        path = relative(workspace, arguments.get("path", ""))
        pattern = arguments["pattern"].removeprefix(f"{workspace.root}/")
        offset = int(arguments.get("offset", 0))
        page = await stoppable(lambda stop: _find(workspace, pattern, path, offset, stop))
        return _told(pattern, path, offset, page)


@dataclass(slots=True)
class _Page:
    """Files from `offset` on; `more`: there are others behind, `late`: why it ended early."""

    paths: list[str] = field(default_factory=list[str])
    more: bool = False
    late: str | None = None


def _find(
    workspace: Workspace, pattern: str, path: str, offset: int, stop: threading.Event
) -> _Page:
    page, check = _Page(), bounded(SECONDS, stop.is_set)
    try:
        for found in islice(glob(workspace, pattern, path=path, check=check), offset, None):
            if len(page.paths) == PAGE or sum(map(len, page.paths)) > CHARACTERS:
                page.more = True
                break
            page.paths.append(found)
    except SearchEnded as error:
        page.late = error.detail
    return page


def _told(pattern: str, path: str, offset: int, page: _Page) -> ToolResult:
    following = offset + len(page.paths)
    details: dict[str, Any] = {
        "pattern": pattern,
        "path": path,
        "count": len(page.paths),
        "truncated": page.more or page.late is not None,
    }
    lines = [one_line(each) for each in page.paths]
    if page.more:
        details["next_offset"] = following
        lines.append(f"[There are more; go on with offset={following}, or narrow the pattern.]")
    if page.late is not None:
        lines.append(f"[Not everything was looked at. {page.late}]")
    if not lines:
        where = f" in {path}" if path else ""
        further = f" beyond the first {offset}" if offset else ""
        lines.append(f"[No file fits {pattern}{where}{further}.]")
    return ToolResult("\n".join(lines), details=details)
