"""The server's one secret, and what is derived from it: a key per purpose, never the secret itself.

A sealed value is `version (1) | key id (4) | nonce (12) | AES-256-GCM ciphertext and tag`. The key
is HKDF-SHA256 of the secret under the purpose's label (RFC 5869); the context (table, column, row)
is bound as associated data, so that a value moved to another row does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from homeport.kernel.errors import Invalid

SECRET_BYTES = 32
SECRET_MIN_LENGTH = 32
_VERSION = b"\x01"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_HEADER_BYTES = len(_VERSION) + _KEY_ID_BYTES + _NONCE_BYTES
_TAG_BYTES = 16
_SALT = b"homeport/v1"


class SecretUnsafe(Invalid):
    """The secret is too short, empty, or readable by other users of the machine."""

    code = "secret.unsafe"
    title = "The server's secret is not safe"


class SealBroken(Invalid):
    """A sealed value was changed, moved, or sealed for another purpose."""

    code = "secret.seal-broken"
    title = "A sealed value does not open"


class SealForeign(SealBroken):
    """A value was sealed under another secret: the secret was lost or replaced."""

    code = "secret.foreign"
    title = "A value was sealed under another secret"


class KeyRing:
    """Keys by purpose, from one secret.

    Args:
        secret: At least 32 bytes that nobody can guess.

    Raises:
        SecretUnsafe: The secret is too short.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SECRET_MIN_LENGTH:
            raise SecretUnsafe(
                f"SECRET_KEY has {len(secret)} bytes; it needs {SECRET_MIN_LENGTH} that nobody can "
                "guess, for example the output of: openssl rand -hex 32"
            )
        self._secret = secret
        self._derived: dict[str, bytes] = {}

    def derive(self, purpose: str) -> bytes:
        """The 32-byte key of one purpose; the same for ever."""
        key = self._derived.get(purpose)
        if key is None:
            hkdf = HKDF(algorithm=SHA256(), length=32, salt=_SALT, info=purpose.encode())
            key = self._derived[purpose] = hkdf.derive(self._secret)
        return key

    def mac(self, purpose: str, *parts: str) -> bytes:
        """HMAC-SHA256 over `parts` under the key of `purpose`; 32 bytes."""
        return hmac.digest(self.derive(purpose), _framed(parts), hashlib.sha256)

    def seal(self, purpose: str, value: bytes, *, context: tuple[str, ...]) -> bytes:
        """Encrypts `value` so that it opens for the same purpose and context only."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        header = _VERSION + self._key_id(purpose) + nonce
        sealed = AESGCM(self.derive(purpose)).encrypt(nonce, value, _framed((purpose, *context)))
        return header + sealed

    def open(self, purpose: str, sealed: bytes, *, context: tuple[str, ...]) -> bytes:
        """What `seal` was given.

        Raises:
            SealForeign: It was sealed under another secret.
            SealBroken: It was changed, moved to another context, or is no sealed value.
        """
        if len(sealed) < _HEADER_BYTES + _TAG_BYTES or sealed[:1] != _VERSION:
            raise SealBroken
        if sealed[1 : 1 + _KEY_ID_BYTES] != self._key_id(purpose):
            raise SealForeign
        nonce = sealed[1 + _KEY_ID_BYTES : _HEADER_BYTES]
        try:
            return AESGCM(self.derive(purpose)).decrypt(
                nonce, sealed[_HEADER_BYTES:], _framed((purpose, *context))
            )
        except InvalidTag:
            raise SealBroken from None

    def _key_id(self, purpose: str) -> bytes:
        return self.mac("key-id", purpose)[:_KEY_ID_BYTES]


def load_secret(path: Path) -> bytes:
    """The secret in `path`, made there (0600) when there is none.

    Two processes that start at once end up with the same secret.

    Raises:
        SecretUnsafe: Other users of the machine may read the file, or it holds too little.
    """
    if not path.exists():
        _make_secret(path)
    mode = path.stat().st_mode
    if stat.S_IMODE(mode) & 0o077:
        raise SecretUnsafe(f"Other users of this machine may read {path}. Run: chmod 600 {path}")
    secret = path.read_bytes().strip()
    if len(secret) < SECRET_MIN_LENGTH:
        raise SecretUnsafe(f"{path} holds {len(secret)} bytes; restore it from where you keep it.")
    return secret


def _make_secret(path: Path) -> None:
    """Puts a complete file in place or none at all; whoever comes second keeps the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(SECRET_BYTES).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    finally:
        Path(name).unlink()


def _framed(parts: tuple[str, ...]) -> bytes:
    """Parts with their lengths, so that no two lists of parts give the same bytes."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
