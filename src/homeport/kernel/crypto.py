"""The server's secret, and what is derived from it: a key per purpose, never the secret itself.

A sealed value is an envelope: a data key of its own encrypts it (AES-256-GCM), and the key of the
purpose, HKDF-SHA256 of the secret under the purpose's label (RFC 5869), encrypts the data key:

    version (1) | key id (4) | nonce (12) | data key (32) and tag (16) | nonce (12) | value and tag

The context (table, column, row) is bound to both as associated data: what is moved to another row
does not open. When the secret is replaced, only the first half is written anew, value by value,
while every node still opens both: the key id says under which secret a value stands.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from homeport.kernel.errors import Invalid

SECRET_MIN_LENGTH: Final = 32
_VERSION: Final = b"\x02"
_KEY_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_DATA_KEY_BYTES: Final = 32
_WRAPPED_AT: Final = len(_VERSION) + _KEY_ID_BYTES
_VALUE_AT: Final = _WRAPPED_AT + _NONCE_BYTES + _DATA_KEY_BYTES + _TAG_BYTES
_SALT: Final = b"homeport/v1"


class SecretUnsafe(Invalid):
    """The secret is too short, empty, or readable by other users of the machine."""

    code = "secret.unsafe"
    title = "The server's secret is not safe"


class SealBroken(Invalid):
    """A sealed value was changed, moved, or sealed for another purpose."""

    code = "secret.seal-broken"
    title = "A sealed value does not open"


class SealForeign(SealBroken):
    """A value was sealed under a secret that is not known: it was lost or replaced."""

    code = "secret.foreign"
    title = "A value was sealed under another secret"


class KeyRing:
    """Keys by purpose, from the present secret and from those before it.

    Args:
        secret: The present one: at least 32 bytes that nobody can guess.
        known: Others, which open what was sealed under them and seal nothing.

    Raises:
        SecretUnsafe: One of them is too short.
    """

    def __init__(self, secret: bytes, *known: bytes) -> None:
        self._secrets: tuple[_Secret, ...] = ()
        self.use(secret, *known)

    def use(self, secret: bytes, *known: bytes) -> None:
        """Replaces the secrets, between two uses of the ring.

        Raises:
            SecretUnsafe: One of them is too short; the ring is as it was.
        """
        self._secrets = tuple(_Secret(each) for each in (secret, *known))

    def derive(self, purpose: str) -> bytes:
        """The 32-byte key that the present secret has for one purpose."""
        return self._secrets[0].key(purpose)

    def mac(self, purpose: str, *parts: str) -> bytes:
        """HMAC-SHA256 over `parts` under the present key of `purpose`; 32 bytes."""
        return self._secrets[0].mac(purpose, parts)

    def macs(self, purpose: str, *parts: str) -> Iterator[bytes]:
        """`mac` under every secret, the present one first: one of them may have made it."""
        return (secret.mac(purpose, parts) for secret in self._secrets)

    def seal(self, purpose: str, value: bytes, *, context: tuple[str, ...]) -> bytes:
        """Encrypts `value` so that it opens for the same purpose and context only."""
        data_key = secrets.token_bytes(_DATA_KEY_BYTES)
        bound = _framed((purpose, *context))
        head = self._secrets[0].wrapped(purpose, data_key, bound)
        return head + _encrypted(data_key, value, bound)

    def open(self, purpose: str, sealed: bytes, *, context: tuple[str, ...]) -> bytes:
        """What `seal` was given.

        Raises:
            SealForeign: It was sealed under a secret that is not known.
            SealBroken: It was changed, moved to another context, or is no sealed value.
        """
        data_key, bound = self._unwrapped(purpose, sealed, context)
        return _decrypted(data_key, sealed[_VALUE_AT:], bound)

    def is_current(self, purpose: str, sealed: bytes) -> bool:
        """Whether `sealed` stands under the present secret."""
        return sealed[:_WRAPPED_AT] == _VERSION + self._secrets[0].key_id(purpose)

    def rewrap(self, purpose: str, sealed: bytes, *, context: tuple[str, ...]) -> bytes:
        """The same value, its data key under the present secret; the value is not opened.

        Raises:
            SealForeign: It was sealed under a secret that is not known.
            SealBroken: It was changed, moved to another context, or is no sealed value.
        """
        data_key, bound = self._unwrapped(purpose, sealed, context)
        return self._secrets[0].wrapped(purpose, data_key, bound) + sealed[_VALUE_AT:]

    def _unwrapped(
        self, purpose: str, sealed: bytes, context: tuple[str, ...]
    ) -> tuple[bytes, bytes]:
        """The data key, and what it is bound to."""
        if len(sealed) < _VALUE_AT + _NONCE_BYTES + _TAG_BYTES or sealed[:1] != _VERSION:
            raise SealBroken
        key_id, bound = sealed[1:_WRAPPED_AT], _framed((purpose, *context))
        for secret in self._secrets:
            if secret.key_id(purpose) == key_id:
                wrapped = sealed[_WRAPPED_AT:_VALUE_AT]
                return _decrypted(secret.key(purpose), wrapped, bound), bound
        raise SealForeign


class _Secret:
    """One secret and the keys that were derived from it so far."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SECRET_MIN_LENGTH:
            raise SecretUnsafe(
                f"SECRET_KEY has {len(secret)} bytes; it needs {SECRET_MIN_LENGTH} that nobody can "
                "guess, for example the output of: openssl rand -hex 32"
            )
        self._secret = secret
        self._derived: dict[str, bytes] = {}

    def key(self, purpose: str) -> bytes:
        key = self._derived.get(purpose)
        if key is None:
            hkdf = HKDF(algorithm=SHA256(), length=32, salt=_SALT, info=purpose.encode())
            key = self._derived[purpose] = hkdf.derive(self._secret)
        return key

    def mac(self, purpose: str, parts: tuple[str, ...]) -> bytes:
        return hmac.digest(self.key(purpose), _framed(parts), hashlib.sha256)

    def key_id(self, purpose: str) -> bytes:
        return self.mac("key-id", (purpose,))[:_KEY_ID_BYTES]

    def wrapped(self, purpose: str, data_key: bytes, bound: bytes) -> bytes:
        """The first half of an envelope."""
        return _VERSION + self.key_id(purpose) + _encrypted(self.key(purpose), data_key, bound)


def _encrypted(key: bytes, value: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, value, bound)


def _decrypted(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
    except InvalidTag:
        raise SealBroken from None


def _framed(parts: tuple[str, ...]) -> bytes:
    """Parts with their lengths, so that no two lists of parts give the same bytes."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
