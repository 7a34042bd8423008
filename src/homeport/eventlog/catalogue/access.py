"""Facts of what people were not let do."""

from __future__ import annotations

from typing import ClassVar

from homeport.eventlog.catalogue.base import Event


class AccessDenied(Event):
    """The account's owner, or somebody with its credential, was refused: known, and not allowed.

    Once a minute at most for a route, a code and a permission; `count` says how often it was.
    """

    kind: ClassVar[str] = "access.denied"
    route: str
    code: str
    needs: str | None = None
    count: int
