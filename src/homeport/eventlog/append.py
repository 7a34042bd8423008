"""The only INSERT into the log.

A `Unit` is one write transaction that holds the rows of its streams. State rows and events are
changed inside it and commit together. `append` allots the `seq` at once and buffers; the buffer is
written by one batch right before the commit, under the lock that makes `position` appear in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import bindparam, delete, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from homeport.eventlog.catalogue.base import Event
from homeport.eventlog.envelope import GENESIS, Header, digest, link, new_salt
from homeport.eventlog.models import EventRow, OpenMessageRow, PayloadRow, SegmentRow, StreamRow
from homeport.eventlog.record import Record
from homeport.kernel import clock
from homeport.kernel.db import WriteSession, table_of

# Commit order is not sequence order on PostgreSQL. Held from just before the events' INSERT to the
# end of the commit, so that no reader ever sees position n+1 before n.
POSITION_LOCK = 0x6C6F67
lock_positions = text("SELECT pg_advisory_xact_lock(:key)")


# Built once: to build a statement costs more than SQLite takes for it.
_streams = table_of(StreamRow)
_heads = (
    select(_streams.c.name, _streams.c.id, _streams.c.head_seq, _streams.c.head_hash)
    .where(_streams.c.name.in_(bindparam("names", expanding=True)))
    .order_by(_streams.c.name)
)
# NO KEY: a foreign key's check on the stream (a flush of segments) need not wait for us.
_held = {"sqlite": _heads, "postgresql": _heads.with_for_update(key_share=True)}
_new = {
    "sqlite": sqlite.insert(_streams).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(_streams).on_conflict_do_nothing(),
}
_move_head = (
    update(_streams)
    .where(_streams.c.id == bindparam("stream_id"))
    .values(head_seq=bindparam("seq"), head_hash=bindparam("hash"))
)
_events, _payloads = insert(table_of(EventRow)), insert(table_of(PayloadRow))
_open = insert(table_of(OpenMessageRow))
_close = [
    # The message first: its lock waits for a flush that is under way, and what that flush has
    # stored must be gone too.
    delete(table).where(table.c.stream_id.in_(bindparam("closed", expanding=True)))
    for table in (table_of(OpenMessageRow), table_of(SegmentRow))
]


@dataclass(slots=True)
class _Head:
    stream_id: int
    seq: int
    hash: bytes
    moved: bool = False


@dataclass(slots=True)
class _Pending:
    events: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    payloads: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    opened: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    closed: list[int] = field(default_factory=list[int])


class Unit:
    """One write transaction over the state rows and the streams that it was opened for."""

    def __init__(self, session: WriteSession, heads: dict[str, _Head]) -> None:
        self.session = session
        self.records: list[Record] = []
        self._heads = heads
        self._pending = _Pending()

    @classmethod
    async def begin(cls, session: WriteSession, streams: tuple[str, ...]) -> Unit:
        """Locks the streams' rows, in sorted order so that two units never wait for each other."""
        return cls(session, await _lock(session, sorted(set(streams))))

    def head(self, stream: str) -> int:
        """The last `seq` of `stream`, appends of this unit included; 0 when it is empty."""
        return self._head(stream).seq

    def append(self, stream: str, event: Event, *, actor: str, epoch: int = 0) -> int:
        """Appends `event` to `stream` and returns its `seq`.

        Args:
            stream: One of the streams that the unit was opened for.
            event: A fact of the catalogue.
            actor: Who did it: `user:<id>`, `run:<id>`, `system`.
            epoch: Fence of the run that writes; matters where the event opens a message.
        """
        head = self._head(stream)
        payload, salt, at = event.encode(), new_salt(), int(clock.utc_now().timestamp() * 1000)
        header = Header(stream, head.seq + 1, event.kind, event.version, at, actor)
        payload_digest = digest(salt, payload)
        head.seq, head.hash, head.moved = (
            header.seq,
            link(head.hash, header, payload_digest),
            True,
        )
        row: dict[str, object] = {"stream_id": head.stream_id, "seq": header.seq}
        self._pending.payloads.append(row | {"salt": salt, "payload": payload})
        self._pending.events.append(
            row
            | {"kind": event.kind, "version": event.version, "at": at, "actor": actor}
            | {"bounds": event.bounds, "payload_digest": payload_digest, "hash": head.hash}
        )
        if event.bounds == "opens":
            opened: dict[str, object] = {"message_id": getattr(event, "message_id"), "epoch": epoch}  # noqa: B009
            opened |= {"stream_id": head.stream_id, "started_seq": header.seq}
            self._pending.opened.append(opened)
        elif event.bounds == "closes":
            pending = self._pending
            pending.opened = [row for row in pending.opened if row["stream_id"] != head.stream_id]
            pending.closed.append(head.stream_id)
        self.records.append(
            Record(stream, header.seq, event.kind, event.version, at, actor, event.bounds, payload)
        )
        return header.seq

    async def flush(self) -> None:
        """Writes what was appended; called once, as the last thing before the commit."""
        pending = self._pending
        if not pending.events:
            return
        await self.session.flush()  # the state's rows first: nothing comes after the positions
        connection = await self.session.connection()
        run = connection.execute
        if pending.closed:
            for close in _close:
                await run(close, {"closed": pending.closed})
        if pending.opened:
            await run(_open, pending.opened)
        await run(_payloads, pending.payloads)
        moved = [h for h in self._heads.values() if h.moved]
        await run(
            _move_head, [{"stream_id": h.stream_id, "seq": h.seq, "hash": h.hash} for h in moved]
        )
        if connection.dialect.name == "postgresql":
            await run(lock_positions, {"key": POSITION_LOCK})
        await run(_events, pending.events)
        self._pending = _Pending()

    def _head(self, stream: str) -> _Head:
        try:
            return self._heads[stream]
        except KeyError:
            raise ValueError(f"the unit was not opened for {stream}") from None


async def _lock(session: WriteSession, names: list[str]) -> dict[str, _Head]:
    connection = await session.connection()
    query, values = _held[connection.dialect.name], {"names": names}
    found = {
        r.name: _Head(r.id, r.head_seq, r.head_hash)
        for r in await connection.execute(query, values)
    }
    missing = [name for name in names if name not in found]
    if missing:
        rows = [{"name": name, "head_seq": 0, "head_hash": GENESIS} for name in missing]
        await connection.execute(_new[connection.dialect.name], rows)
        # Somebody else may have made one of them meanwhile: take all again, in order.
        found = {
            r.name: _Head(r.id, r.head_seq, r.head_hash)
            for r in await connection.execute(query, values)
        }
    return found
