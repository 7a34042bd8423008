"""An answer over HTTP, read to its end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import aiohttp
import orjson


@dataclass(frozen=True)
class Answer:
    """What the server said; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    async def of(cls, response: aiohttp.ClientResponse) -> Self:
        headers = {name.lower(): value for name, value in response.headers.items()}
        return cls(response.status, headers, await response.read())

    @cached_property
    def json(self) -> Any:
        """The body as JSON values; None when it is empty."""
        return orjson.loads(self.body) if self.body else None

    @property
    def code(self) -> str:
        """The stable code of an error document."""
        return str(self.json["error"]["code"])
