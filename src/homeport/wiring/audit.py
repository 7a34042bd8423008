"""What makes the trail hold: seals over the log, and anchors outside the database."""

from __future__ import annotations

from homeport.eventlog import EventLog
from homeport.eventlog.anchors import AnchorFile
from homeport.eventlog.seal import SealingKey
from homeport.eventlog.sealer import Sealer
from homeport.identity.denials import WRITE_S, Denials
from homeport.kernel import ids
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import Database
from homeport.wiring.house import House, every

STEP_S = 5.0


async def audit(house: House) -> None:
    """The sealer, one among all nodes, and this node's anchors."""
    settings = house.settings
    database: Database = house.get(Database)
    sealer = Sealer(
        database,
        SealingKey(house.get(KeyRing)),
        holder=f"{settings.node_id or 'node'}:{ids.new_id()}",
        events=settings.audit_seal_events,
        seconds=settings.audit_seal_seconds,
    )
    anchors = AnchorFile(settings.anchor_path)

    async def step() -> None:
        await sealer.step()
        await anchors.copy(database)

    house.chore("audit.seal", every(STEP_S, step))
    denials = Denials(house.get(EventLog))
    house.provide(denials)
    house.chore("audit.denials", every(WRITE_S, denials.write))
