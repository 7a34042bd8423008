"""The server's secret: made once, kept to itself, and a seal that opens in one place only."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.kernel.crypto import KeyRing, SealBroken, SealForeign, SecretUnsafe
from homeport.kernel.secret_file import load_secrets, store_secrets

SECRET = b"0123456789abcdef0123456789abcdef"


def test_load_secrets_when_there_is_none_then_made_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret.key"
    (secret,) = load_secrets(path)
    assert len(secret) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_secrets(path) == (secret,)
    assert list(path.parent.iterdir()) == [path]


async def test_load_secrets_when_many_start_at_once_then_all_have_the_same(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    made = await asyncio.gather(*(asyncio.to_thread(load_secrets, path) for _ in range(16)))
    assert len(set(made)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_load_secrets_when_others_may_read_it_then_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    load_secrets(path)
    path.chmod(0o640)
    with pytest.raises(SecretUnsafe, match="chmod 600"):
        load_secrets(path)


def test_load_secrets_when_it_is_empty_then_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.touch(mode=0o600)
    with pytest.raises(SecretUnsafe, match="restore"):
        load_secrets(path)
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


@pytest.mark.requirement("59", "CVE-6")
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


def test_store_secrets_then_the_file_is_replaced_whole_and_stays_the_owners(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    (first,) = load_secrets(path)
    store_secrets(path, (SECRET, first))
    assert load_secrets(path) == (SECRET, first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_load_secrets_when_one_of_them_is_short_then_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    store_secrets(path, (SECRET, b"short"))
    with pytest.raises(SecretUnsafe):
        load_secrets(path)


@pytest.mark.requirement("59")
def test_rewrap_when_the_secret_is_replaced_then_both_open_until_the_old_one_is_forgotten() -> None:
    old, new, context = SECRET, SECRET[::-1], ("table", "column", "1")
    sealed = KeyRing(old).seal("purpose", b"value", context=context)
    both = KeyRing(new, old)
    assert both.open("purpose", sealed, context=context) == b"value"
    assert not both.is_current("purpose", sealed)
    renewed = both.rewrap("purpose", sealed, context=context)
    assert both.is_current("purpose", renewed)
    for ring in (both, KeyRing(new), KeyRing(old, new)):
        assert ring.open("purpose", renewed, context=context) == b"value"
    with pytest.raises(SealForeign):
        KeyRing(old).open("purpose", renewed, context=context)
    with pytest.raises(SealBroken):
        both.rewrap("purpose", sealed, context=("table", "column", "2"))
    assert renewed[-16:] == sealed[-16:]  # the value itself was not opened


@pytest.mark.requirement("59")
def test_seal_then_every_value_has_a_key_of_its_own() -> None:
    ring = KeyRing(SECRET)
    one, two = (ring.seal("purpose", b"value", context=()) for _ in range(2))
    half = len(one) - len(b"value") - 12 - 16
    with pytest.raises(SealBroken):
        ring.open("purpose", one[:half] + two[half:], context=())


def test_macs_when_the_secret_is_replaced_then_the_earlier_digest_is_among_them() -> None:
    earlier = KeyRing(SECRET).mac("purpose", "x")
    ring = KeyRing(SECRET[::-1], SECRET)
    assert ring.mac("purpose", "x") != earlier
    assert list(ring.macs("purpose", "x")) == [ring.mac("purpose", "x"), earlier]
