"""What an event is: a frozen fact with a kind, a version and a place in the closed catalogue."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

import orjson
from pydantic import BaseModel, ConfigDict

KIND_PATTERN = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_]*")

_registry: dict[tuple[str, int], type[Event]] = {}


class Event(BaseModel):
    """A fact. Subclasses set `kind` (`noun.verb-ed`) and enter the catalogue by being defined.

    A payload is never changed and a kind never renamed or reused; a new shape is a new `version`.
    `bounds` says that the fact opens or closes the stream's one streamed message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    bounds: ClassVar[Literal["opens", "closes"] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Enters the class into the catalogue.

        Raises:
            TypeError: The kind is malformed or taken.
        """
        super().__init_subclass__(**kwargs)
        kind = cls.__dict__.get("kind")
        if kind is None:
            return
        if not KIND_PATTERN.fullmatch(kind):
            raise TypeError(f"{cls.__name__}: {kind!r} is not noun.verb-ed")
        if (kind, cls.version) in _registry:
            raise TypeError(f"{cls.__name__}: {kind} v{cls.version} exists already")
        _registry[kind, cls.version] = cls

    def encode(self) -> bytes:
        """The payload as stored: one JSON object, UTF-8, members in declared order."""
        return orjson.dumps(self.model_dump(mode="json", exclude_none=True))


def catalogue() -> dict[tuple[str, int], type[Event]]:
    """Every event there is, by (kind, version)."""
    return dict(sorted(_registry.items()))


def decode(kind: str, version: int, payload: bytes) -> Event:
    """The event behind a stored payload.

    Raises:
        LookupError: The catalogue knows no such kind in that version.
    """
    try:
        return _registry[kind, version].model_validate(orjson.loads(payload))
    except KeyError:
        raise LookupError(f"the catalogue has no {kind} v{version}") from None
