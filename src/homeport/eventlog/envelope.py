"""Digests and the hash chain: what makes the log tamper-evident.

    payload_digest = SHA-256(salt | payload)
    hash           = SHA-256(previous hash | canonical header | payload_digest)

The chain is per stream. Without its salt, which is erased with the payload, a digest is useless
for guessing what the payload was.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

import orjson

SALT_BYTES = 16
GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Header:
    """The part of an event that stays for ever.

    Attributes:
        at: Milliseconds since 1970, UTC.
        actor: Who did it: `user:<id>`, `run:<id>`, `system`.
    """

    stream: str
    seq: int
    kind: str
    version: int
    at: int
    actor: str

    def canonical(self) -> bytes:
        """The bytes that are hashed: a JSON array in this order, no white space."""
        return orjson.dumps([self.stream, self.seq, self.kind, self.version, self.at, self.actor])


def new_salt() -> bytes:
    """16 random bytes."""
    return os.urandom(SALT_BYTES)


def digest(salt: bytes, payload: bytes) -> bytes:
    """SHA-256 over salt and payload, 32 bytes."""
    return hashlib.sha256(salt + payload).digest()


def link(previous: bytes, header: Header, payload_digest: bytes) -> bytes:
    """The next hash of the chain, 32 bytes."""
    return hashlib.sha256(previous + header.canonical() + payload_digest).digest()
