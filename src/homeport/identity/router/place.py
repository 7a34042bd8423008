"""Where a page of ids goes on, and where this server listens."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

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


async def _port(connection: HTTPConnection) -> int:
    server: tuple[str, int | None] | None = connection.scope.get("server")
    return (server[1] if server else None) or 80


Port = Annotated[int, Depends(_port)]
"""The port that the request came in by."""
