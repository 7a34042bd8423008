"""The server's secret: made once, kept to itself, and a seal that opens in one place only."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.kernel.crypto import KeyRing, SealBroken, SealForeign, SecretUnsafe, load_secret

SECRET = b"0123456789abcdef0123456789abcdef"


def test_load_secret_when_there_is_none_then_made_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret.key"
    secret = load_secret(path)
    assert len(secret) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_secret(path) == secret
    assert list(path.parent.iterdir()) == [path]


async def test_load_secret_when_many_start_at_once_then_all_have_the_same(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    made = await asyncio.gather(*(asyncio.to_thread(load_secret, path) for _ in range(16)))
    assert len(set(made)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_load_secret_when_others_may_read_it_then_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    load_secret(path)
    path.chmod(0o640)
    with pytest.raises(SecretUnsafe, match="chmod 600"):
        load_secret(path)


def test_load_secret_when_it_is_empty_then_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.touch(mode=0o600)
    with pytest.raises(SecretUnsafe, match="restore"):
        load_secret(path)
    assert path.read_bytes() == b""


def test_key_ring_when_the_secret_is_short_then_refused() -> None:
    with pytest.raises(SecretUnsafe, match="32"):
        KeyRing(SECRET[:31])
    KeyRing(SECRET)


@given(value=st.binary(max_size=200), context=st.lists(st.text(max_size=8), max_size=3))
def test_open_when_nothing_was_changed_then_the_value(value: bytes, context: list[str]) -> None:
    ring = KeyRing(SECRET)
    sealed = ring.seal("purpose", value, context=tuple(context))
    assert value == KeyRing(SECRET).open("purpose", sealed, context=tuple(context))
    assert sealed != ring.seal("purpose", value, context=tuple(context))


def test_open_when_moved_changed_or_for_another_purpose_then_refused() -> None:
    ring, context = KeyRing(SECRET), ("table", "column", "1")
    sealed = ring.seal("purpose", b"value", context=context)
    for other in (("table", "column", "2"), ("table", "column1", ""), ("tablecolumn", "", "1"), ()):
        with pytest.raises(SealBroken):
            ring.open("purpose", sealed, context=other)
    with pytest.raises(SealBroken):
        ring.open("another", sealed, context=context)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(SealBroken):
            ring.open("purpose", bytes(changed), context=context)
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            ring.open("purpose", sealed[:length], context=context)


def test_open_when_sealed_under_another_secret_then_said_so() -> None:
    sealed = KeyRing(SECRET).seal("purpose", b"value", context=())
    with pytest.raises(SealForeign):
        KeyRing(SECRET[::-1]).open("purpose", sealed, context=())


def test_derive_then_one_key_per_purpose_and_none_is_the_secret() -> None:
    ring = KeyRing(SECRET)
    keys = {ring.derive(purpose) for purpose in ("a", "b", "ab")}
    assert len(keys) == 3
    assert SECRET not in keys
    assert ring.derive("a") == KeyRing(SECRET).derive("a")
    assert ring.mac("a", "x", "y") != ring.mac("a", "xy", "")
