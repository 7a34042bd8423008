"""Erases what events said: the one place that deletes payloads.

Payload and salt go; the header, the digest and the chain stay, so that the log can still be
verified and the digest is of no use for guessing. What other rooms have copied out of the payloads
they blank themselves, in the same unit: wiring tells the `Eraser` who has copies of which streams.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select

from homeport.eventlog.append import Unit
from homeport.eventlog.catalogue.base import catalogue
from homeport.eventlog.catalogue.payload import ErasureReason, PayloadErased
from homeport.eventlog.errors import MessageOpen
from homeport.eventlog.models import EventRow, OpenMessageRow, PayloadRow, StreamRow


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased in a stream.

    Attributes:
        seqs: The events that said something until now, in order.
        whole: Nothing that the stream said before this unit is left.
    """

    stream: str
    seqs: tuple[int, ...]
    whole: bool
    reason: ErasureReason

    @property
    def subject(self) -> str:
        """The id in the stream's name."""
        return self.stream.partition(":")[2]


Walk = Callable[[Unit, Erased], Awaitable[None]]
"""Blanks what a room keeps of erased events, in the unit that erases them."""


class Eraser:
    """Erases in a unit, and has every room that keeps copies blank them in the same one."""

    def __init__(self) -> None:
        self._walks: dict[str, list[Walk]] = {}

    def on(self, noun: str, walk: Walk) -> None:
        """Has `walk` called for streams `<noun>:...`, after the payloads are gone."""
        self._walks.setdefault(noun, []).append(walk)

    async def erase(
        self,
        unit: Unit,
        stream: str,
        *,
        reason: ErasureReason,
        actor: str,
        first_seq: int = 1,
        last_seq: int | None = None,
        kinds: Collection[str] | None = None,
    ) -> Erased:
        """Erases what events said that were committed before this unit.

        A message is erased with its text: whoever erases its start erases its close. That something
        was erased is itself never erased. What is gone already is passed over; when that is
        everything, nothing is appended.

        Args:
            unit: Open on `stream`.
            last_seq: None for all there is.
            kinds: None for all.

        Raises:
            MessageOpen: A message of the range is still being written.
        """
        unit.head(stream)  # proves that the unit holds the stream
        stream_id = await unit.session.scalar(select(StreamRow.id).where(StreamRow.name == stream))
        last, chosen = await _reach(unit, stream_id, last_seq, kinds)
        which = _which(stream_id, first_seq, last, chosen)
        found = select(EventRow.seq).join(
            PayloadRow,
            (PayloadRow.stream_id == EventRow.stream_id) & (PayloadRow.seq == EventRow.seq),
        )
        seqs = tuple(await unit.session.scalars(found.where(*which).order_by(EventRow.seq)))
        if seqs:
            await unit.session.execute(
                delete(PayloadRow).where(
                    PayloadRow.stream_id == stream_id,
                    PayloadRow.seq.in_(select(EventRow.seq).where(*which)),
                )
            )
            fact = PayloadErased(
                first_seq=seqs[0],
                last_seq=seqs[-1],
                count=len(seqs),
                kinds=sorted(chosen) if chosen is not None else None,
                reason=reason,
            )
            unit.append(stream, fact, actor=actor)
        whole = first_seq <= 1 and last_seq is None and kinds is None
        erased = Erased(stream, seqs, whole, reason)
        for walk in self._walks.get(stream.partition(":")[0], ()):
            await walk(unit, erased)
        return erased


async def _reach(
    unit: Unit, stream_id: int | None, last_seq: int | None, kinds: Collection[str] | None
) -> tuple[int, frozenset[str] | None]:
    """The last `seq` and the kinds, so that no message is cut in two."""
    stored = await unit.session.scalar(
        select(func.max(EventRow.seq)).where(EventRow.stream_id == stream_id)
    )
    last = min(stored or 0, last_seq if last_seq is not None else stored or 0)
    chosen = frozenset(kinds) if kinds is not None else None
    if chosen is not None and chosen & _kinds_that("opens"):
        chosen |= _kinds_that("closes")
    opened = await unit.session.scalar(
        select(OpenMessageRow.started_seq).where(OpenMessageRow.stream_id == stream_id)
    )
    takes_messages = chosen is None or chosen & _kinds_that("closes")
    if opened is not None and opened <= last and takes_messages:
        raise MessageOpen(f"The message that event {opened} opens is still being written.")
    bound = (
        await unit.session.execute(
            select(EventRow.bounds)
            .where(
                EventRow.stream_id == stream_id, EventRow.bounds.is_not(None), EventRow.seq <= last
            )
            .order_by(EventRow.seq.desc())
            .limit(1)
        )
    ).scalar()
    if bound == "opens" and takes_messages:
        close = await unit.session.scalar(
            select(func.min(EventRow.seq)).where(
                EventRow.stream_id == stream_id, EventRow.bounds == "closes", EventRow.seq > last
            )
        )
        last = close or last
    return last, chosen


def _which(
    stream_id: int | None, first: int, last: int, kinds: frozenset[str] | None
) -> list[ColumnElement[bool]]:
    which = [
        EventRow.stream_id == stream_id,
        EventRow.seq >= first,
        EventRow.seq <= last,
        EventRow.kind != PayloadErased.kind,
    ]
    return which if kinds is None else [*which, EventRow.kind.in_(sorted(kinds))]


def _kinds_that(bounds: str) -> frozenset[str]:
    return frozenset(event.kind for event in catalogue().values() if event.bounds == bounds)
