"""A leader lease: of all nodes on one database one does a chore, and another when it is gone.

    async with database.write() as session:
        if await leader.hold(session, "audit.seal", holder=node, ttl_s=30):
            ...  # what this transaction writes, the leader writes

Asked inside the transaction of the work, so that a leader that slept past its lease writes nothing:
the row is taken first and held to the commit, and the time is the database's own.
"""

from __future__ import annotations

from sqlalchemy import or_
from sqlalchemy.dialects import postgresql, sqlite

from homeport.kernel.db.base import now_ms
from homeport.kernel.db.engine import WriteSession
from homeport.kernel.db.tables import LeaderRow


async def hold(session: WriteSession, name: str, *, holder: str, ttl_s: float) -> bool:
    """Whether `holder` leads `name`, from now for `ttl_s` seconds at most; takes what is free."""
    connection = await session.connection()
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    until = now_ms() + int(ttl_s * 1000)
    taken = build(LeaderRow).values(name=name, holder=holder, until_ms=until)
    taken = taken.on_conflict_do_update(
        index_elements=[LeaderRow.name],
        set_={"holder": holder, "until_ms": until},
        where=or_(LeaderRow.holder == holder, LeaderRow.until_ms < now_ms()),
    ).returning(LeaderRow.name)
    return (await session.execute(taken)).first() is not None
