"""Read: numbered lines of a text file."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from homeport.files.content import HEAD, looks_binary
from homeport.files.entries import FileStat, stat_of
from homeport.files.errors import FileNotFound
from homeport.files.workspace import Workspace
from homeport.tools.builtin.lines import Window, window
from homeport.tools.builtin.paths import FILE_PATH, missing, relative
from homeport.tools.port import ToolContext, ToolResult, ToolSpec

LINES = 2_000
MAX_LINES = 10_000
BOM = "\ufeff"
SIGNATURES = {
    b"\x89PNG": "an image (PNG)",
    b"\xff\xd8\xff": "an image (JPEG)",
    b"GIF8": "an image (GIF)",
    b"II*\x00": "an image (TIFF)",
    b"MM\x00*": "an image (TIFF)",
    b"%PDF-": "a PDF document",
    b"PK\x03\x04": "a ZIP archive or office document",
    b"\x1f\x8b": "a gzip archive",
    b"\x7fELF": "a program (ELF)",
    b"SQLite format 3\x00": "an SQLite database",
}
DESCRIPTION = f"""\
Reads a text file of the project. Each line comes with its number and a tab before it; they are \
not part of the file.

- At most {LINES:,} lines at once from `offset` (default 1); when there is more, the end says with \
which `offset` to read on. Very long lines are cut, and say so.
- Read a file before you change it. Several files can be read in one turn.
- Only text: images, archives and other binary files are not shown. For folders use Glob."""


class Read:
    """Reads a file; never changes anything."""

    spec = ToolSpec(
        name="Read",
        description=DESCRIPTION,
        input_schema={
            "type": "object",
            "properties": {
                "file_path": FILE_PATH,
                "offset": {
                    "type": "integer",
                    "minimum": 1,
                    "description": "The first line to read, counted from 1.",
                },
                "limit": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_LINES,
                    "description": f"How many lines to read. Default: {LINES}.",
                },
            },
            "required": ["file_path"],
            "additionalProperties": False,
        },
        effect="read",
        idempotent=True,
    )

    async def run(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        """Reads.

        Raises:
            HomeportError: See `files.errors`; told by the guard.
        """
        return await asyncio.to_thread(
            _read,
            context.workspace,
            relative(context.workspace, arguments["file_path"]),
            int(arguments.get("offset", 1)),
            int(arguments.get("limit", LINES)),
        )


def _read(workspace: Workspace, path: str, offset: int, limit: int) -> ToolResult:
    try:
        opened = workspace.open(path)
        with opened as file:
            status = stat_of(path, os.fstat(file.fileno()))
            head = file.read(HEAD)
            kind = _not_text(head)
            if kind is not None:
                return _refused(path, kind, status.size)
            file.seek(0)
            seen = window(file, first=offset, limit=limit, size=status.size)
    except FileNotFound:
        raise missing(workspace, path) from None
    return _told(status, offset, seen)


def _not_text(head: bytes) -> str | None:
    for signature, kind in SIGNATURES.items():
        if head.startswith(signature):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "an image (WebP)"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text in UTF-16, which must be converted first (iconv -f UTF-16 -t UTF-8)"
    return "a binary file" if looks_binary(head) else None


def _refused(path: str, kind: str, size: int) -> ToolResult:
    return ToolResult(
        f"{path} is {kind} of {size} bytes and cannot be shown as text.",
        is_error=True,
        details={"code": "tool.not-text", "path": path, "size": size},
    )


def _told(status: FileStat, offset: int, seen: Window) -> ToolResult:
    path, size = status.path, status.size
    details: dict[str, Any] = {"path": path, "size": size, "truncated": seen.following is not None}
    if seen.total is not None:
        details["total_lines"] = seen.total
    if not seen.lines and offset > 1:
        return ToolResult(
            f"{path} has {seen.total} lines; there is no line {offset}.",
            is_error=True,
            details={**details, "code": "tool.no-such-line"},
        )
    details["etag"] = status.etag
    if not seen.lines:
        return ToolResult(f"[{path} is empty.]", details=details)
    if offset == 1:
        seen.lines[0] = seen.lines[0].removeprefix(BOM)
    text = "\n".join(f"{number:>6}\t{line}" for number, line in enumerate(seen.lines, offset))
    details |= {"start_line": offset, "end_line": offset + len(seen.lines) - 1}
    if seen.following is not None:
        details["next_offset"] = seen.following
        of = f" of {seen.total}" if seen.total is not None else ""
        text += (
            f"\n[Lines {offset} to {seen.following - 1}{of}; read on with offset={seen.following}.]"
        )
    return ToolResult(text, details=details)
