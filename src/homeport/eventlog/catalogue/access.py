"""Facts of what people were not let do."""

from __future__ import annotations

from typing import ClassVar

from homeport.eventlog.catalogue.base import Event


class AccessDeniedV1(Event):
    """The account's owner, or somebody with its credential, was refused: known, and not allowed."""

    kind: ClassVar[str] = "access.denied"
    route: str
    code: str
    needs: str | None = None
    count: int


class AccessDenied(Event):
    """Somebody was refused (401 or 403) who is the account's owner, or shows a credential of it.

    The actor is the owner where the credential was good, and `system` where it was not: revoked,
    expired, of a disabled account, or shown by a foreign page. Once a minute at most for the same
    refusal; `count` says how often it was. Beyond twenty different ones in a minute, one event
    with `*` as its route and code counts the others.
    """

    kind: ClassVar[str] = "access.denied"
    version: ClassVar[int] = 2
    route: str
    code: str
    needs: str | None = None
    device_id: str | None = None
    api_key_id: str | None = None
    address: str | None = None
    count: int
