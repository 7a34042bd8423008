"""Where this server listens."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection


async def _port(connection: HTTPConnection) -> int:
    server: tuple[str, int | None] | None = connection.scope.get("server")
    return (server[1] if server else None) or 80


Port = Annotated[int, Depends(_port)]
"""The port that the request came in by."""
