"""What is left when all is over: every row of the log, and the rows that must agree with it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import text

from faults.model import EFFECTS
from faults.recorder import Recorder
from homeport.kernel.db import Database

STREAMS = text("SELECT name, head_seq, head_hash FROM streams ORDER BY name")
EVENTS = text(
    "SELECT s.name AS stream, e.position, e.seq, e.kind, e.version, e.at, e.actor, e.payload_digest,"
    " e.hash, p.salt, p.payload FROM events e JOIN streams s ON s.id = e.stream_id"
    " LEFT JOIN event_payloads p ON p.stream_id = e.stream_id AND p.seq = e.seq"
    " ORDER BY s.name, e.seq"
)
ROWS = {
    "runs": text("SELECT id, session_id, status, outcome, epoch, finished_seq FROM runs"),
    "approvals": text("SELECT id, run_id, status FROM approvals"),
    "messages": text("SELECT id, status, seq FROM messages"),
    "tool_calls": text("SELECT run_id, call_id, started_seq, finished_seq FROM tool_calls"),
    "open_messages": text(
        "SELECT s.name AS stream, o.message_id FROM open_messages o"
        " JOIN streams s ON s.id = o.stream_id"
    ),
    "message_segments": text(
        "SELECT s.name AS stream, m.ordinal FROM message_segments m"
        " JOIN streams s ON s.id = m.stream_id"
    ),
}


async def note_remains(recorder: Recorder, url: str, workspaces: Iterable[Path]) -> None:
    """Notes what the database and the workspaces hold."""
    database = Database(url)
    try:
        async with database.read() as session:
            for row in (await session.execute(STREAMS)).mappings():
                recorder.note("stream", **{**row, "head_hash": bytes(row["head_hash"]).hex()})
            for row in (await session.execute(EVENTS)).mappings():
                digests = {
                    name: bytes(row[name]).hex() for name in ("payload_digest", "hash", "salt")
                }
                payload = bytes(row["payload"]).decode()
                recorder.note("event", **{**row, **digests, "payload": payload})
            for table, query in ROWS.items():
                for row in (await session.execute(query)).mappings():
                    recorder.note("row", table=table, **row)
    finally:
        await database.close()
    for workspace in workspaces:
        file = workspace / EFFECTS
        for call_id in file.read_text().split() if file.exists() else ():
            recorder.note("effect", call_id=call_id)
