"""What all of these bodies and answers share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, PlainSerializer

from homeport.kernel.clock import rfc3339

INLINE_BYTES = 32 * 1024
"""Tool inputs and results above this travel in lists as `truncated, size, href`."""

Timestamp = Annotated[
    datetime, PlainSerializer(rfc3339, return_type=str, when_used="json-unless-none")
]


class Body(BaseModel):
    """A request body: unknown members are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def bounded(value: dict[str, Any], href: str) -> dict[str, Any]:
    """`value`, or where it is to be had whole when it is long."""
    size = len(orjson.dumps(value))
    if size <= INLINE_BYTES:
        return value
    return {"truncated": True, "size": size, "href": href}
