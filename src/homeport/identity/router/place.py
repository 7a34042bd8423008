"""Where a page of ids goes on."""

from __future__ import annotations

from homeport.kernel.http.pagination import BadCursor, PageRequest
from homeport.kernel.ids import is_id


def place_after(paging: PageRequest) -> str | None:
    """The id after which the page begins; None is the beginning.

    Raises:
        BadCursor: The cursor carries no id.
    """
    keys = paging.after(str)
    if keys is None:
        return None
    if not is_id(keys[0]):
        raise BadCursor(param="cursor")
    return keys[0]
