"""Write: puts a whole file."""

from __future__ import annotations

from typing import Any

from homeport.files.content import looks_binary
from homeport.files.errors import FileChanged, FileNotFound
from homeport.files.workspace import ABSENT, Workspace
from homeport.tools.builtin.difference import difference
from homeport.tools.builtin.paths import FILE_PATH, relative
from homeport.tools.builtin.threads import to_its_end
from homeport.tools.port import ToolContext, ToolResult, ToolSpec

COMPARED_BYTES = 2 << 20
DESCRIPTION = """\
Writes a whole file of the project: makes it, with the folders above it, or replaces everything \
that is in it.

- To change a part of a file use Edit; it is safer and shorter.
- Read an existing file before you replace it; one that has changed since is not replaced.
- The content is written exactly as given, as UTF-8."""


class Write:
    """Makes or replaces a file, whole or not at all."""

    spec = ToolSpec(
        name="Write",
        description=DESCRIPTION,
        input_schema={
            "type": "object",
            "properties": {
                "file_path": FILE_PATH,
                "content": {"type": "string", "description": "Everything that the file will hold."},
            },
            "required": ["file_path", "content"],
            "additionalProperties": False,
        },
        effect="write",
    )

    async def run(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        """Writes.

        Raises:
            HomeportError: See `files.errors`; told by the guard.
        """
        path = relative(context.workspace, arguments["file_path"])
        content: str = arguments["content"]
        seen = context.seen.get(path)
        return await to_its_end(lambda: _write(context.workspace, path, content, seen))


def _write(workspace: Workspace, path: str, content: str, seen: str | None) -> ToolResult:
    data = content.encode()
    details: dict[str, Any] = {"path": path, "created": False, "size": len(data)}
    try:
        before = workspace.stat(path)
    except FileNotFound:
        made = workspace.write(path, data, create_dirs=True, if_etag=ABSENT)
        told = difference("", content)
        details |= {"created": True, "etag": made.etag, **told.details()}
        return ToolResult(f"Made {path} ({told.added} lines).", details=details)
    if seen not in {None, before.etag}:
        raise FileChanged(f"{path} has changed since you last saw it.", param="file_path")
    old = workspace.read(path, 0, COMPARED_BYTES + 1)
    details["etag"] = workspace.write(path, data, if_etag=before.etag).etag
    if old == data:
        return ToolResult(f"{path} already had exactly this content.", details=details)
    if max(len(old), len(data)) > COMPARED_BYTES or looks_binary(old):
        return ToolResult(f"Replaced {path}, now {len(data)} bytes.", details=details)
    told = difference(old.decode("utf-8", "replace"), content)
    return ToolResult(
        f"Replaced {path} ({told.counted} lines).", details={**details, **told.details()}
    )
