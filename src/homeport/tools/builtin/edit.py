"""Edit: replaces an exact passage of a file."""

from __future__ import annotations

from typing import Any

from homeport.files.content import looks_binary
from homeport.files.errors import FileNotFound
from homeport.files.workspace import Workspace
from homeport.tools.builtin.difference import Difference, difference
from homeport.tools.builtin.near import advice
from homeport.tools.builtin.paths import FILE_PATH, missing, relative
from homeport.tools.builtin.replacement import CRLF, Passages, find, replace
from homeport.tools.builtin.threads import to_its_end
from homeport.tools.port import ToolContext, ToolResult, ToolSpec

BOM = "\ufeff"
PLACES = 10
AROUND = 4
SHOWN_LINES = 40
LINE_CHARACTERS = 200
CHARACTERS = 20 << 20
"""Of the changed file at most: short passages, many times replaced by long ones, multiply."""
DESCRIPTION = """\
Replaces a passage of a file of the project.

- `old_string` must be in the file exactly, white space included, and only once: give it enough \
lines around to be unique, or set `replace_all` to replace every occurrence.
- Copy it from what Read shows, without the line numbers and the tab.
- Line endings (CRLF), the byte order mark and the file's mode are kept.
- To make a file, or to replace all of it, use Write."""


class Edit:
    """Changes a part of a file, whole or not at all."""

    spec = ToolSpec(
        name="Edit",
        description=DESCRIPTION,
        input_schema={
            "type": "object",
            "properties": {
                "file_path": FILE_PATH,
                "old_string": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The passage as it is now.",
                },
                "new_string": {"type": "string", "description": "What will stand there instead."},
                "replace_all": {
                    "type": "boolean",
                    "description": "Replace every occurrence. Default: false.",
                },
            },
            "required": ["file_path", "old_string", "new_string"],
            "additionalProperties": False,
        },
        effect="write",
    )

    async def run(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        """Edits.

        Raises:
            HomeportError: See `files.errors`; told by the guard.
        """
        path = relative(context.workspace, arguments["file_path"])
        old, new = arguments["old_string"], arguments["new_string"]
        every = bool(arguments.get("replace_all", False))
        if old == new:
            return _refused(path, "edit-same", "old_string and new_string are the same.")
        return await to_its_end(lambda: _edit(context.workspace, path, old, new, every=every))


def _edit(workspace: Workspace, path: str, old: str, new: str, *, every: bool) -> ToolResult:
    try:
        before = workspace.stat(path)
        data = workspace.read(path)
    except FileNotFound:
        raise missing(workspace, path) from None
    if looks_binary(data):
        return _refused(path, "not-text", f"{path} is a binary file.")
    # Bytes that are no UTF-8 become lone surrogates here and themselves again when written.
    text = data.decode("utf-8", "surrogateescape")
    mark = BOM if text.startswith(BOM) else ""
    text = text.removeprefix(BOM)
    passages = find(text, old)
    wrong = _unfit(path, text, old, new, passages, every=every)
    if wrong is not None:
        return wrong
    changed = replace(text, passages.spans, new)
    written = (mark + changed).encode("utf-8", "surrogateescape")
    etag = workspace.write(path, written, if_etag=before.etag).etag
    told = _told(path, text, changed, passages)
    told.details["etag"] = etag
    return told


def _unfit(
    path: str, text: str, old: str, new: str, passages: Passages, *, every: bool
) -> ToolResult | None:
    if not text:
        return _refused(path, "edit-empty", f"{path} is empty; use Write.")
    if not passages.spans:
        plain = [each.replace(CRLF, "\n") for each in (text, old, new)]
        return _refused(path, "edit-not-found", f"old_string is not in {path}. {advice(*plain)}")
    if passages.ambiguous and not every:
        places = ", ".join(str(line) for line in passages.lines[:PLACES])
        more = ", ..." if len(passages.lines) > PLACES else ""
        return _refused(
            path,
            "edit-not-unique",
            f"old_string stands in {path} more than once (lines {places}{more}). Add lines around "
            "it until it is unique, or set replace_all.",
        )
    if passages.more or len(text) + len(passages.spans) * len(new) > CHARACTERS:
        return _refused(
            path,
            "edit-too-much",
            f"{path} would change in more than {len(passages.spans)} places, or become too large; "
            "use a command.",
        )
    return None


def _refused(path: str, code: str, sentence: str) -> ToolResult:
    return ToolResult(
        f"Nothing was changed: {sentence}",
        is_error=True,
        details={"code": f"tool.{code}", "path": path},
    )


def _told(path: str, old: str, new: str, passages: Passages) -> ToolResult:
    told, count = difference(_readable(old), _readable(new)), len(passages.spans)
    times = "" if count == 1 else f" {count} times"
    details = {"path": path, "replacements": count, **told.details()}
    content = f"Edited {path}{times} ({told.counted} lines)."
    if count == 1:
        content += f" It reads now:\n{_excerpt(new, passages, told)}"
    return ToolResult(content, details=details)


def _readable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _excerpt(text: str, passages: Passages, told: Difference) -> str:
    """The changed lines with a few around them, numbered as Read does."""
    (place, _), number = passages.spans[0], passages.lines[0]
    while number < told.first and (end := text.find("\n", place)) >= 0:
        place, number = end + 1, number + 1  # the passage begins with lines that stay as they were
    start = text.rfind("\n", 0, place) + 1
    shown = max(told.added, 1) + AROUND
    for _ in range(AROUND):
        if start:
            start, number, shown = text.rfind("\n", 0, start - 1) + 1, number - 1, shown + 1
    lines: list[str] = []
    while start < len(text) and len(lines) < min(shown, SHOWN_LINES):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start : min(end, start + LINE_CHARACTERS)].removesuffix("\r")
        lines.append(f"{number + len(lines):>6}\t{_readable(line)}")
        start = end + 1
    return "\n".join(lines)
