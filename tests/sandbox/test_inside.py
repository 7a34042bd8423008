"""The parts of the warden that need no box."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.sandbox.inside import seccomp
from homeport.sandbox.inside.capture import HeadTail

ALLOW = 0x7FFF0000
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def judge(code: bytes, machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """Run a filter as the kernel does; returns 0 for allowed, or the errno."""
    data = struct.pack(
        "=iIQ6Q",
        number if number < 1 << 31 else number - (1 << 32),
        ARCHITECTURE[machine] if arch is None else arch,
        0,
        *[*arguments, 0, 0, 0, 0, 0, 0][:6],
    )
    lines = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    accumulator, at = 0, 0
    while True:
        operation, yes, no, value = lines[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif operation == 0x06:
            return 0 if value == ALLOW else value & 0xFFFF
        else:
            true = {
                0x15: accumulator == value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[operation]
            at += yes if true else no


NUMBERS = {
    "x86_64": {"read": 0, "clone": 56, "socket": 41, "ioctl": 16, "kill": 62, "ptrace": 101},
    "aarch64": {"read": 63, "clone": 220, "socket": 198, "ioctl": 29, "kill": 129, "ptrace": 117},
}


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> str:
    return request.param


def test_filter_when_built_then_it_judges_each_call(machine: str) -> None:
    code = seccomp.program(
        machine, families=seccomp.families(network=False, unix=True), isolated=True
    )
    numbers = NUMBERS[machine]
    assert judge(code, machine, numbers["read"]) == 0
    assert judge(code, machine, numbers["ptrace"]) == errno.EPERM
    assert judge(code, machine, numbers["clone"], 0x11) == 0
    assert judge(code, machine, numbers["clone"], 0x10000011) == errno.EPERM
    assert judge(code, machine, 435) == errno.ENOSYS  # clone3
    assert judge(code, machine, 425) == errno.ENOSYS  # io_uring_setup
    assert judge(code, machine, numbers["socket"], 1) == 0
    for family in (2, 10, 16, 17, 38, 40):
        assert judge(code, machine, numbers["socket"], family) == errno.EAFNOSUPPORT
    assert judge(code, machine, numbers["ioctl"], 0, 0x5401) == 0
    assert judge(code, machine, numbers["ioctl"], 0, 0x5412) == errno.EPERM
    assert judge(code, machine, numbers["ioctl"], 0, 0x7000000005412) == errno.EPERM
    assert judge(code, machine, numbers["kill"], 1) == 0


def test_filter_when_the_architecture_is_another_then_nothing_passes(machine: str) -> None:
    code = seccomp.program(machine, families=(), isolated=True)
    other = 0x40000003  # i386
    assert judge(code, machine, NUMBERS[machine]["read"], arch=other) == errno.ENOSYS


def test_filter_when_called_by_the_x32_door_then_nothing_passes() -> None:
    code = seccomp.program("x86_64", families=(), isolated=True)
    assert judge(code, "x86_64", 0x40000000 | 101) == errno.ENOSYS
    assert judge(code, "x86_64", 0x40000000) == errno.ENOSYS


def test_filter_when_nothing_hides_the_server_then_it_cannot_be_signalled(machine: str) -> None:
    code = seccomp.program(machine, families=(), isolated=False, shielded=(4321, -4000))
    kill = NUMBERS[machine]["kill"]
    assert judge(code, machine, kill, 4321) == errno.EPERM
    assert judge(code, machine, kill, -4000 & 0xFFFFFFFF) == errno.EPERM
    assert judge(code, machine, kill, -1 & 0xFFFFFFFF) == errno.EPERM
    assert judge(code, machine, kill, 4322) == 0
    assert judge(code, machine, NUMBERS[machine]["socket"], 1) == errno.EAFNOSUPPORT
    assert judge(code, machine, 424) == errno.EPERM  # pidfd_send_signal


def test_filter_when_landlock_is_blind_to_truncate_then_the_filter_is_not() -> None:
    for truncate, expected in ((True, 0), (False, errno.EPERM)):
        code = seccomp.program("x86_64", families=(), isolated=False, truncate=truncate)
        assert judge(code, "x86_64", 76) == expected


def test_filter_when_the_architecture_is_unknown_then_there_is_none() -> None:
    with pytest.raises(KeyError):
        seccomp.program("riscv64", families=(), isolated=True)


@given(chunks=st.lists(st.binary(max_size=40), max_size=30), cap=st.integers(1, 64))
def test_capture_when_fed_anything_then_it_keeps_the_head_and_the_tail(
    chunks: list[bytes], cap: int
) -> None:
    capture = HeadTail(cap)
    for chunk in chunks:
        capture.feed(chunk)
    whole = b"".join(chunks)
    kept = capture.content()
    assert capture.size == len(whole)
    assert capture.truncated == (len(whole) > cap)
    if len(whole) <= cap:
        assert kept == whole
    else:
        assert kept == whole[: cap // 2] + whole[len(whole) - (cap - cap // 2) :]
