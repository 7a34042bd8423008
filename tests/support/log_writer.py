"""A process that streams messages for ever and says what was acknowledged: for tests that kill it.

Usage: python -m support.log_writer DATABASE_URL STREAM SEED

It takes over what its predecessor left, as a claimer does. Each line of stdout is a JSON array:
`["event", seq, name]` after a unit has been committed, `["shown", message_id, text]` after a delta
was shown to the readers of this process, `["kept", message_id, text]` after a take-over.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys

import orjson

from homeport.eventlog import EventLog, read
from homeport.eventlog.catalogue.run import RunStopRequested
from homeport.kernel.db import Database
from homeport.kernel.ids import new_id
from support.facts import append, complete, open_message, take_over

WORDS = ("alpha ", "\U0001f600", '{"key": ', "\u00e9\n", "omega. ", "\u4e2d\u6587")


def say(*what: object) -> None:
    """One line, out of this process before anything else happens."""
    os.write(1, orjson.dumps(what) + b"\n")


async def happen(log: EventLog, stream: str) -> None:
    name = new_id()
    say("event", await append(log, stream, RunStopRequested(run_id=name)), name)


async def speak(log: EventLog, stream: str, chance: random.Random) -> None:
    """One message of several blocks, with events between."""
    message_id = new_id()
    writer = await open_message(log, stream, message_id)
    say("opened", message_id, "")
    for kind in chance.choices(["text", "thinking", "tool_use"], k=chance.randint(1, 3)):
        writer.block_started(kind)
        for _ in range(chance.randint(0, 40)):
            writer.delta(chance.choice(WORDS))
            say("shown", message_id, "".join(block["text"] for block in writer.stored()))
            await asyncio.sleep(chance.random() / 200)
            if chance.random() < 0.1:
                await happen(log, stream)
    await complete(log, stream, writer)


async def recover(log: EventLog, stream: str) -> None:
    async with log.database.read() as session:
        opened = await read.open_message(session, stream)
    if opened is not None:
        kept = await take_over(log, stream)
        say("kept", opened.message_id, "".join(block["text"] for block in kept))


async def main(url: str, stream: str, seed: int) -> None:
    chance, log = random.Random(seed), EventLog(Database(url))
    await log.start()
    await recover(log, stream)
    say("ready", 0, "")
    for _ in itertools.count():
        await happen(log, stream)
        await speak(log, stream, chance)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
