"""How long it takes to verify a log: `python bench/verify.py [--events N] [--url URL]`.

Without a URL, a SQLite file in a temporary directory is filled; a PostgreSQL database is filled
where its URL leads, and must be empty.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

from sqlalchemy import insert

from homeport import migrations
from homeport.eventlog.envelope import GENESIS, Header, digest, link
from homeport.eventlog.models import EventRow, PayloadRow, StreamRow
from homeport.eventlog.verify import verify
from homeport.kernel.db import Database

STREAMS = 1_000
KIND = "run.stop_requested"


async def fill(database: Database, events: int) -> None:
    """Streams of equal length, with chains that hold and payloads of some 300 bytes."""
    each = events // STREAMS
    for number in range(1, STREAMS + 1):
        name, last = f"session:{number}", GENESIS
        rows: list[dict[str, object]] = []
        payloads: list[dict[str, object]] = []
        for seq in range(1, each + 1):
            payload, salt = b'{"run_id":"%b"}' % (b"r" * 280), os.urandom(16)
            said = digest(salt, payload)
            header = Header(name, seq, KIND, 1, 1_800_000_000_000 + seq, "system")
            last = link(last, header, said)
            place: dict[str, object] = {"stream_id": number, "seq": seq}
            payloads.append(place | {"salt": salt, "payload": payload})
            told = {"kind": KIND, "version": 1, "at": header.at, "actor": "system"}
            rows.append(place | told | {"bounds": None, "payload_digest": said, "hash": last})
        async with database.write() as session:
            stream = {"id": number, "name": name, "head_seq": each, "head_hash": last}
            await session.execute(insert(StreamRow).values(**stream))
            await session.execute(insert(PayloadRow), payloads)
            await session.execute(insert(EventRow), rows)


async def measure(url: str, events: int) -> None:
    """Fills the database, verifies it, and says how long that took."""
    database = Database(url)
    await migrations.upgrade(database)
    await fill(database, events)
    began, worked = time.perf_counter(), time.process_time()
    async with database.read() as session:
        report = await verify(session)
    took, worked = time.perf_counter() - began, time.process_time() - worked
    await database.close()
    found = f"{report.events:,} events, {len(report.findings)} findings"
    print(f"{found}: {took:.1f} s, {worked:.1f} s of CPU")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--url")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.url or f"sqlite:///{Path(folder) / 'bench.db'}"
        asyncio.run(measure(url, asked.events))


if __name__ == "__main__":
    main()
