"""Grep: finds lines by a regular expression, in a process that can be killed."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from homeport.files.errors import SearchEnded
from homeport.files.search import Found, Query, search
from homeport.files.workspace import Workspace
from homeport.tools.builtin.hits import printed
from homeport.tools.builtin.paths import FOLDER_PATH, one_line, relative
from homeport.tools.builtin.threads import stoppable
from homeport.tools.port import ToolContext, ToolResult, ToolSpec

PAGE = 250
MAX_PAGE = 2_000
MAX_OFFSET = 10_000
CHARACTERS = 60_000
SECONDS = 20.0
COUNTED = 10_000
OutputMode = Literal["files_with_matches", "content", "count"]
DESCRIPTION = f"""\
Searches the text files of the project for a regular expression (Python syntax), line by line.

- `output_mode`: `files_with_matches` (default) lists the files, `content` the lines as \
`path:line:text`, `count` the number of lines per file.
- Narrow it with `path` (a folder or one file) and `glob` (`*.py`, `src/**/*.ts`); `-i` ignores \
case; `context` adds lines around each hit.
- At most `head_limit` results ({PAGE}) at once; the end says with which `offset` to go on.
- Escape what is special: `interface\\{{\\}}`, `foo\\(`. A hit cannot span lines.
- Left out: what .gitignore names, .git, binary files, files over 8 MiB. \
A file that .gitignore names can be searched by giving it as `path`."""


class Grep:
    """Searches files; never changes anything."""

    spec = ToolSpec(
        name="Grep",
        description=DESCRIPTION,
        input_schema={
            "type": "object",
            "properties": {
                "pattern": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 4096,
                    "description": "The regular expression.",
                },
                "path": {**FOLDER_PATH, "description": "A folder or a file. Default: everything."},
                "glob": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "description": "Only files whose path below `path` fits this.",
                },
                "output_mode": {"enum": ["files_with_matches", "content", "count"]},
                "-i": {"type": "boolean", "description": "Upper and lower case alike."},
                "context": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 20,
                    "description": "Lines before and after each hit (content only).",
                },
                "head_limit": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_PAGE,
                    "description": f"Results at most. Default: {PAGE}.",
                },
                "offset": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": MAX_OFFSET,
                    "description": "How many of the first results to leave out, to read on.",
                },
            },
            "required": ["pattern"],
            "additionalProperties": False,
        },
        effect="read",
        idempotent=True,
    )

    async def run(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        """Searches.

        Raises:
            HomeportError: See `files.errors`; told by the guard.
        """
        mode = cast("OutputMode", arguments.get("output_mode", "files_with_matches"))
        offset = int(arguments.get("offset", 0))
        limit = int(arguments.get("head_limit", PAGE))
        around = int(arguments.get("context", 0)) if mode == "content" else 0
        per_file = {"files_with_matches": 1, "count": COUNTED, "content": offset + limit + 1}
        query = Query(
            pattern=arguments["pattern"],
            path=relative(context.workspace, arguments.get("path", "")),
            glob=arguments.get("glob"),
            ignore_case=arguments.get("-i", False),
            before=around,
            after=around,
            per_file=per_file[mode],
            seconds=min(SECONDS, context.timeout_s),
        )
        page = _Page(mode, offset, limit)
        await stoppable(lambda stop: _collect(context.workspace, query, page, stop))
        return _told(query, page)


@dataclass(slots=True)
class _Page:
    """Results from `offset` on; `more`: there are others behind, `late`: why it ended early."""

    mode: OutputMode
    offset: int
    limit: int
    hits: list[Found] = field(default_factory=list[Found])
    counts: dict[str, int] = field(default_factory=dict[str, int])
    seen: int = 0
    characters: int = 0
    more: bool = False
    late: str | None = None

    def take(self, hit: Found) -> bool:
        """Takes a hit in; False when the page was full before it."""
        if self.mode != "content" and hit.path in self.counts:
            self.counts[hit.path] += 1
            return True
        taken = self.seen - self.offset
        if taken >= self.limit or self.characters > CHARACTERS:
            self.more = True
            return False
        self.seen += 1
        if taken >= 0 and self.mode == "content":
            self.hits.append(hit)
            self.characters += sum(map(len, (hit.path, hit.text, *hit.before, *hit.after)))
        elif self.mode != "content":
            self.counts[hit.path] = 1
            self.characters += len(hit.path) if taken >= 0 else 0
        return True

    @property
    def results(self) -> int:
        """How many results the page holds."""
        return max(self.seen - self.offset, 0)

    def lines(self) -> list[str]:
        """The page as text."""
        if self.mode == "content":
            return printed(self.hits)
        shown = list(self.counts.items())[self.offset :]
        if self.mode == "files_with_matches":
            return [one_line(path) for path, _ in shown]
        return [
            f"{one_line(path)}:{count}{'+' if count == COUNTED else ''}" for path, count in shown
        ]


def _collect(workspace: Workspace, query: Query, page: _Page, stop: threading.Event) -> None:
    with closing(search(workspace, query, stopped=stop.is_set)) as found:
        try:
            for hit in found:
                if not page.take(hit):
                    return
        except SearchEnded as error:
            if not page.results:
                raise
            page.late = error.detail


def _told(query: Query, page: _Page) -> ToolResult:
    details: dict[str, Any] = {
        "pattern": query.pattern,
        "path": query.path,
        "output_mode": page.mode,
        "count": page.results,
        "truncated": page.more or page.late is not None,
    }
    lines = page.lines()
    if page.more:
        details["next_offset"] = page.seen
        lines.append(f"[There are more; go on with offset={page.seen}, or narrow the search.]")
    if page.late is not None:
        lines.append(f"[Not everything was searched. {page.late}]")
    if not lines:
        further = f" beyond the first {page.offset}" if page.offset else ""
        lines.append(f"[No line fits{further}.]")
    return ToolResult("\n".join(lines), details=details)
