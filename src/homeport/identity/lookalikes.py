"""Letters that are taken for one another, and the key by which two usernames count as one.

A name has one script (`names.has_one_script`), so what is left are names that lie wholly in another
script: `\u0430\u0455\u0435` for `ase`. Of a Unicode TR 39 skeleton this takes the small letters of
Cyrillic and Greek, and Latin's own doubles; not two letters for one (`rn`), nor digits (`l`, `1`).
"""

from __future__ import annotations

import unicodedata
from typing import Final

from homeport.identity.names import folded

_CYRILLIC: Final = "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445"
_CYRILLIC_MORE: Final = "\u0455\u0456\u0458\u0475\u04af\u04bb\u04cf\u0501\u051b\u051d"
_GREEK: Final = (
    "\u03b1\u03b2\u03b3\u03b5\u03b6\u03b7\u03b9\u03ba"
    "\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03c9"
)
_LATIN: Final = "\u0131\u0251\u0261\u0269\u028b"
LOOKALIKES: Final = str.maketrans(
    {
        **dict(zip(_CYRILLIC, "abekmhopctyx", strict=True)),
        **dict(zip(_CYRILLIC_MORE, "sijvyhldqw", strict=True)),
        **dict(zip(_GREEK, "abyezhikmvoptuxw", strict=True)),
        **dict(zip(_LATIN, "iagiv", strict=True)),
    }
)
"""Small letters, each with the Latin one that it, or its capital, is taken for."""


def username_key(name: str) -> str:
    """The key under which a username is unique: `folded`, and the same for what looks the same."""
    bare = unicodedata.normalize("NFKD", folded(name)).translate(LOOKALIKES)
    return unicodedata.normalize("NFKC", bare)
