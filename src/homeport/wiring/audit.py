"""What makes the trail hold: seals over the log, and anchors outside the database."""

from __future__ import annotations

from homeport.eventlog import EventLog
from homeport.eventlog.anchors import AnchorFile
from homeport.eventlog.seal import SealingKey
from homeport.eventlog.sealer import Sealer
from homeport.eventlog.verifier import Verifier, last_verified
from homeport.eventlog.verify_process import Question
from homeport.identity.denials import WRITE_S, Denials
from homeport.kernel import clock, ids
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import Database
from homeport.operations import Finding
from homeport.wiring.house import House, every
from homeport.wiring.secret import sealing_keys

STEP_S = 5.0
VERIFY_STEP_S = 60.0


async def audit(house: House) -> None:
    """The sealer and the verifier, one among all nodes, and this node's anchors."""
    settings = house.settings
    database: Database = house.get(Database)
    key, node = SealingKey(house.get(KeyRing)), settings.node_id or "node"
    holder = f"{node}:{ids.new_id()}"
    sealer = Sealer(
        database,
        key,
        holder=holder,
        events=settings.audit_seal_events,
        seconds=settings.audit_seal_seconds,
    )
    anchors = AnchorFile(settings.anchor_path)

    async def step() -> None:
        await sealer.step()
        await anchors.copy(database)

    house.chore("audit.seal", every(STEP_S, step))
    url = settings.effective_database_url

    def question() -> Question:
        # Of this moment: another node may seal under a secret that this one follows in a second.
        trusted = {key.public, *sealing_keys(settings)}
        return Question(url=url, anchors=settings.anchor_files(), trusted=trusted)

    async def verified() -> Finding:
        async with database.read() as session:
            last = await last_verified(session)
        if last is None:
            return Finding(ok=True, detail={"verified_at": None})
        at = clock.rfc3339(clock.from_milliseconds(last.at))
        # Damage is for people to look into: no other node serves a better log.
        return Finding(ok=True, detail={"verified_at": at, "findings": last.fact.findings})

    house.checks["audit"] = verified
    if hours := settings.audit_verify_hours:
        log: EventLog = house.get(EventLog)
        verifier = Verifier(log, question, node=node, holder=holder, hours=hours)
        pace = min(VERIFY_STEP_S, hours * 3_600)
        house.chore("audit.verify", every(pace, verifier.step))
    denials: Denials = house.get(Denials)
    # Not a drain: while others drain, requests are still refused.
    house.rooms.push_async_callback(denials.close)
    house.chore("audit.denials", every(WRITE_S, denials.write))
