"""What it costs to come back: the last 100 deltas of a log with 1,000 events, and with 1,000,000.

    .venv/bin/python bench/resume.py [--events 1000 1000000] [--rounds 9] [--json FILE]

Each log is one session's stream on SQLite in a directory that is removed afterwards, filled with
rows of their real shape and size. A resume opens a reader at a cursor and reads to the end, as the
transports do: in the middle of the open message (100 deltas, as 100 segments), and 100 events
before the end. Every resume is on a feed that nobody else reads, so nothing comes from memory.
Rounds take turns between the logs; the median of the rounds' ratios is what counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from homeport import migrations
from homeport.eventlog import EventLog
from homeport.kernel.db import Database
from homeport.readers.stream.reader import Reader

DELTAS = 100
PIECE = "a word or two of an answer "
STREAM = "session:bench"
OPENED = {"message_id": "m", "run_id": "r", "turn": 1, "model": "demo"}
PAYLOAD = json.dumps({"run_id": "r", "turn": 1, "model": "demo", "context": []}).encode()
RESUMES = 40


def fill(path: Path, events: int) -> None:
    """Writes a stream of `events` events; the last one opens a message with 100 stored deltas."""
    with sqlite3.connect(path) as database:
        database.execute(
            "INSERT INTO streams (id, name, head_seq, head_hash) VALUES (1, ?, ?, zeroblob(32))",
            (STREAM, events),
        )
        database.executemany(
            "INSERT INTO events (stream_id, seq, kind, version, at, actor, bounds, payload_digest,"
            " hash) VALUES (1, ?, ?, 1, 1700000000000, 'run:r', ?, zeroblob(32), randomblob(32))",
            ((seq, *_kind(seq, events)) for seq in range(1, events + 1)),
        )
        opened = json.dumps(OPENED).encode()
        database.executemany(
            "INSERT INTO event_payloads (stream_id, seq, salt, payload) VALUES (1, ?, zeroblob(16),"
            " ?)",
            ((seq, opened if seq == events else PAYLOAD) for seq in range(1, events + 1)),
        )
        database.execute("INSERT INTO open_messages VALUES (1, 'm', ?, 1)", (events,))
        database.executemany("INSERT INTO message_segments VALUES (1, ?, ?)", _segments())
    database.close()


def _kind(seq: int, events: int) -> tuple[str, str | None]:
    return ("message.started", "opens") if seq == events else ("turn.started", None)


def _segments() -> list[tuple[int, bytes]]:
    pieces: list[list[list[object]]] = [
        [[0, number * len(PIECE), PIECE]] for number in range(DELTAS)
    ]
    pieces[0].insert(0, [0, "text", None, None])
    return [(ordinal, json.dumps(body).encode()) for ordinal, body in enumerate(pieces)]


async def resumes(log: EventLog, after: str) -> float:
    """Milliseconds of CPU per resume, all threads."""
    began = time.process_time()
    for _ in range(RESUMES):
        reader = await Reader.open(log, STREAM, after)
        read = 0
        while frames := await reader.ready():
            read += len(frames)
        reader.close()
        if not read:
            raise RuntimeError("nothing was read")
    return (time.process_time() - began) * 1000 / RESUMES


async def measure(sizes: list[int], rounds: int, folder: Path) -> dict[str, dict[int, list[float]]]:
    """By place and size: the rounds' figures."""
    logs: dict[int, EventLog] = {}
    for size in sizes:
        database = Database(f"sqlite:///{folder / f'{size}.db'}")
        await migrations.upgrade(database)
        fill(folder / f"{size}.db", size)
        logs[size] = EventLog(database)
    found: dict[str, dict[int, list[float]]] = {}
    for number in range(rounds + 1):
        for size in sizes if number % 2 else sizes[::-1]:
            for place, after in (
                ("100 deltas of the open message", f"{size}.0.0"),
                ("100 events", f"{size - DELTAS}"),
            ):
                took = await resumes(logs[size], after)
                if number:  # the first one warms caches
                    found.setdefault(place, {}).setdefault(size, []).append(took)
    for log in logs.values():
        await log.database.close()
    return found


def main() -> None:
    """Prints one line per place, and the ratio of the last size to the first."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--events", type=int, nargs="+", default=[1_000, 1_000_000])
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(chosen.events, chosen.rounds, Path(folder)))
    told: dict[str, object] = {}
    for place, by_size in found.items():
        first, last = by_size[chosen.events[0]], by_size[chosen.events[-1]]
        ratio = statistics.median(b / a for a, b in zip(first, last, strict=True))
        medians = {size: round(statistics.median(took), 3) for size, took in by_size.items()}
        told[place] = {"ms": medians, "ratio": round(ratio, 3)}
        line = "  ".join(f"{size:>9,} events {ms:.2f} ms" for size, ms in medians.items())
        print(f"{place:32} {line}  ratio {ratio:.2f}")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
