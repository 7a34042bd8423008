"""Turns the text of a path into parts that are safe to hand to the file system, one by one."""

from __future__ import annotations

from homeport.files.errors import BadPath, OutsideWorkspace

NAME_BYTES = 255
PATH_BYTES = 4096
MAX_PARTS = 100  # a walk holds one descriptor for each


def parts_of(path: str) -> tuple[str, ...]:
    """The parts of a workspace-relative POSIX path; `""` and `"."` are the root: no parts.

    `..` stays among them: only the file system knows where it leads, and containment judges that.

    Raises:
        BadPath: A NUL, a lone surrogate, or more bytes than any file system takes.
        OutsideWorkspace: The path is absolute.
    """
    if "\x00" in path:
        raise BadPath("A path cannot contain a NUL.", param="path")
    try:
        raw = path.encode("utf-8")
    except UnicodeEncodeError:
        raise BadPath("A path must be valid Unicode.", param="path") from None
    if path.startswith("/"):
        raise OutsideWorkspace("Paths are relative to the workspace.", param="path")
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    too_long = len(raw) > PATH_BYTES or len(parts) > MAX_PARTS
    if too_long or any(len(part.encode()) > NAME_BYTES for part in parts):
        raise BadPath("The path is longer than a file system takes.", param="path")
    return parts


def shown(name: str) -> str:
    """A file system name as text that JSON can carry; bytes that are no UTF-8 become U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def is_text(name: str) -> bool:
    """Whether a file system name is valid Unicode, and so can be asked for again."""
    return shown(name) == name
