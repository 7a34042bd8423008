"""The server's own secrets, which it hands to nobody: opened here to be looked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from homeport.identity.sealed import PRIVATE_KEYS
from homeport.kernel.crypto import KeyRing
from support.canaries.seen import Secret
from support.canaries.traces import KEY_FILE

PIECE = 24
"""Bytes: a key in PEM is broken into lines of 48, two pieces of which are never both broken."""


def private_keys(
    sealed: Mapping[str, bytes], data_dir: Path, settings: Mapping[str, str]
) -> Iterator[Secret]:
    """The secret in the server's file, and the private keys that it has sealed.

    Args:
        sealed: The sealed private keys by their id.
        data_dir: Where the server keeps its secret.
        settings: Those of the server.
    """
    file = data_dir / KEY_FILE
    lines = file.read_bytes().split() if file.exists() else []
    for line in lines:
        yield Secret("server's secret", line)
        yield Secret("server's secret", bytes.fromhex(line.decode()))
    given = (settings.get(name, "") for name in ("SECRET_KEY", "SECRET_KEY_PREVIOUS"))
    named = [each.strip().encode() for value in given for each in value.split(",")]
    known = [secret for secret in (*named, *lines) if secret]
    for key_id, value in sealed.items() if known else ():
        der = KeyRing(*known).open(
            PRIVATE_KEYS.purpose, value, context=PRIVATE_KEYS.context(key_id)
        )
        key = load_der_private_key(der, password=None)
        assert isinstance(key, RSAPrivateKey)
        numbers = key.private_numbers()
        for number in (numbers.p, numbers.q, numbers.d):
            raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
            for start in range(0, len(raw) - PIECE, PIECE):
                yield Secret("private key", raw[start : start + PIECE])
