"""Verifies the log in a process of its own, so that the server's is not held up by it.

What it needs comes in on standard input, the URL with its password among it: arguments and the
environment of a process are for others to read.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from homeport.eventlog import read
from homeport.eventlog.anchors import read_anchors
from homeport.eventlog.catalogue.audit import Damage
from homeport.eventlog.chain import Finding
from homeport.eventlog.seal import BadAnchor, Seal
from homeport.eventlog.verify import verify
from homeport.kernel.db import Database
from homeport.kernel.errors import Unavailable

NICE = 10
MOST_S = 3_600.0
FIRST = 20


class Unverified(Unavailable):
    """The verification did not come to its end."""

    code = "audit.unverified"
    title = "The log could not be verified"


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be verified.

    Attributes:
        anchors: The anchor files.
        trusted: Public keys that may have signed the newest seal.
    """

    url: str
    anchors: Collection[Path]
    trusted: Collection[bytes]


async def ask(question: Question) -> dict[str, Any]:
    """What `AuditVerified` says, but for the node.

    Raises:
        Unverified: The process failed, or was not done in an hour.
        OSError: It cannot be started.
    """
    keys = [key.hex() for key in question.trusted]
    asked = orjson.dumps([question.url, [str(path) for path in question.anchors], keys])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # nothing is imported from the working directory: it may be a workspace
        "-m",
        "homeport.eventlog.verify_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(MOST_S):
            told, _ = await process.communicate(asked)
    except TimeoutError:
        raise Unverified("It was not done in an hour.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Unverified(f"Its process ended with {process.returncode}.")
    return orjson.loads(told)


async def _verified(url: str, files: list[Path], trusted: set[bytes]) -> dict[str, Any]:
    anchors, unread = _read(files)
    database = Database(url)
    try:
        async with database.read() as session:
            position = await read.last_position(session)
            report = await verify(session, anchors=anchors, trusted=trusted)
    finally:
        await database.close()
    found = unread + report.findings
    first = [
        Damage(what=each.what, stream=each.stream, seq=each.seq, detail=each.detail)
        for each in found[:FIRST]
    ]
    return {
        "position": position,
        "events": report.events,
        "streams": report.streams,
        "seals": report.seals,
        "anchors": report.anchors,
        "last_seal": 0 if report.last_seal is None else report.last_seal.id,
        "findings": len(found),
        "first": [each.model_dump() for each in first],
    }


def _read(files: list[Path]) -> tuple[list[Seal], list[Finding]]:
    """The anchors, and the files that are damaged: that one cannot be read must not end it all."""
    anchors: list[Seal] = []
    unread: list[Finding] = []
    for file in files:
        try:
            anchors += read_anchors(file)
        except (BadAnchor, OSError) as error:
            unread.append(Finding("anchor", None, 0, f"{file.name}: {error}"))
    return anchors, unread


def main() -> None:
    """Reads the question, and answers it."""
    os.nice(NICE)
    url, names, keys = orjson.loads(sys.stdin.buffer.read())
    files = [Path(name) for name in names]
    told = asyncio.run(_verified(url, files, {bytes.fromhex(key) for key in keys}))
    sys.stdout.buffer.write(orjson.dumps(told))


if __name__ == "__main__":
    main()
