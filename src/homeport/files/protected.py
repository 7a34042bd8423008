"""Which paths the file door never writes: what programs outside the sandbox read and act upon.

Stricter than the sandbox's own list: the whole of a `.git`, and every name at any depth.
"""

from __future__ import annotations

import unicodedata

from homeport.files.errors import ProtectedPath
from homeport.sandbox import PROTECTED_NAMES as BOX_NAMES

PROTECTED_NAMES = frozenset({".git", *BOX_NAMES})
# Code points that HFS+ leaves out when it compares names: `.g\u200cit` is `.git` there.
IGNORED_BY_HFS = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]
)


def folded(name: str) -> str:
    """The name as the most forgiving file system would compare it (case, compatibility forms)."""
    bare = name.translate(IGNORED_BY_HFS)
    return unicodedata.normalize("NFKC", bare).casefold().rstrip(". ") or bare


def is_protected(parts: tuple[str, ...]) -> bool:
    """Whether a path is one of the protected names, or lies below one."""
    return any(folded(part) in PROTECTED_NAMES for part in parts)


def refuse_protected(parts: tuple[str, ...]) -> None:
    """Lets every other path pass.

    Raises:
        ProtectedPath: The path is protected.
    """
    if is_protected(parts):
        raise ProtectedPath(
            f"{'/'.join(parts)} steers programs outside the sandbox; change it by hand.",
            param="path",
        )
