"""Pages: one request type, one envelope, keyset cursors, and an offset that stops at 10,000.

Paging = what a router takes; PageFields = what its page schema extends:

    class ProjectPage(PageFields):
        projects: list[ProjectView]

    keys = paging.after(datetime, str)                   # None on the first page
    rows = await list_projects(session, limit=paging.limit + 1, offset=paging.offset, after=keys)
    page = paginate(paging, rows, total=total, key=lambda row: (row.created_at, row.id))
    return ProjectPage(projects=[...page.items], **page.fields())

What is keyed by ids alone goes by `kernel.http.listing`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar, cast, overload

import orjson
from fastapi import Depends, Query
from pydantic import BaseModel, Field

from homeport.kernel.errors import Invalid
from homeport.kernel.ids import is_id

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
MAX_OFFSET = 10_000
LONGEST_CURSOR = 1_024

Key = str | int | datetime
T = TypeVar("T")
U = TypeVar("U")
A = TypeVar("A", str, int, datetime)
B = TypeVar("B", str, int, datetime)


class BadCursor(Invalid):
    """The cursor was not made by this list."""

    code = "page.bad-cursor"
    title = "This cursor is not of this list"


class UseCursor(Invalid):
    """The offset reaches beyond what an offset is for."""

    code = "page.use-cursor"
    title = "Use the cursor beyond this offset"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is asked for. A cursor beats an offset."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: str | None = None

    @overload
    def after(self, first: type[A], /) -> tuple[A] | None: ...

    @overload
    def after(self, first: type[A], second: type[B], /) -> tuple[A, B] | None: ...

    def after(self, *kinds: type[Key]) -> tuple[Any, ...] | None:
        """The keys of the last row that the caller has, or None without a cursor.

        Raises:
            BadCursor: The cursor does not carry keys of these kinds.
        """
        return None if self.cursor is None else decode_cursor(self.cursor, kinds)

    def after_id(self) -> str | None:
        """The id after which the page begins, of a list that is keyed by ids; None at first.

        Raises:
            BadCursor: The cursor carries no id.
        """
        keys = self.after(str)
        if keys is not None and not is_id(keys[0]):
            raise BadCursor(param="cursor")
        return None if keys is None else keys[0]

    @property
    def skip(self) -> int:
        """Rows to skip: the offset, or none when there is a cursor."""
        return 0 if self.cursor is not None else self.offset


class PageFields(BaseModel):
    """What every list says beside its items."""

    total: int = Field(description="How many there are; see total_capped")
    limit: int
    offset: int
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page")
    total_capped: bool = Field(default=False, description="There are more than `total`")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of rows."""

    request: PageRequest
    items: Sequence[T]
    total: int
    next_cursor: str | None
    total_capped: bool = False

    def of(self, items: Sequence[U]) -> Page[U]:
        """The same page with what was made of its rows."""
        return Page(self.request, items, self.total, self.next_cursor, self.total_capped)

    def fields(self) -> dict[str, Any]:
        """The fields of `PageFields`."""
        return {
            "total": self.total,
            "limit": self.request.limit,
            "offset": self.request.skip,
            "next_cursor": self.next_cursor,
            "total_capped": self.total_capped,
        }


def paginate(
    request: PageRequest,
    rows: Sequence[T],
    *,
    total: int,
    key: Callable[[T], tuple[Key, ...]],
    total_capped: bool = False,
) -> Page[T]:
    """The page out of at most `limit + 1` rows: the one too many says that there is a next page."""
    items = rows[: request.limit]
    more = len(rows) > request.limit
    cursor = encode_cursor(*key(items[-1])) if more else None
    return Page(request, items, total, cursor, total_capped)


def encode_cursor(*keys: Key) -> str:
    """An opaque word for the place after the row with these keys."""
    plain = [key.isoformat() if isinstance(key, datetime) else key for key in keys]
    return base64.urlsafe_b64encode(orjson.dumps(plain)).rstrip(b"=").decode()


def decode_cursor(cursor: str, kinds: Sequence[type[Key]]) -> tuple[Key, ...]:
    """The keys inside a cursor.

    Raises:
        BadCursor: It does not carry keys of these kinds.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts: object = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise BadCursor(param="cursor") from error
    if not isinstance(parts, list):
        raise BadCursor(param="cursor")
    values = cast("list[object]", parts)
    if len(values) != len(kinds):
        raise BadCursor(param="cursor")
    return tuple(_key(value, kind) for value, kind in zip(values, kinds, strict=True))


def _key(value: object, kind: type[Key]) -> Key:
    if kind is datetime:
        return _moment(value)
    if isinstance(value, bool) or not isinstance(value, str | int) or type(value) is not kind:
        raise BadCursor(param="cursor")
    return value


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise BadCursor(param="cursor") from error
    if moment.tzinfo is None:
        raise BadCursor(param="cursor")
    return moment


async def page_request(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    offset: Annotated[int, Query(ge=0)] = 0,
    cursor: Annotated[str | None, Query(max_length=LONGEST_CURSOR)] = None,
) -> PageRequest:
    """Reads the page that is asked for.

    Raises:
        UseCursor: The offset is beyond 10,000.
    """
    if offset > MAX_OFFSET and cursor is None:
        message = f"An offset reaches {MAX_OFFSET:,}; page on with `next_cursor`."
        raise UseCursor(message, param="offset")
    return PageRequest(limit, offset, cursor)


Paging = Annotated[PageRequest, Depends(page_request)]
"""The page that the caller asks for."""
