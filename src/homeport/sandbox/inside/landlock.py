"""Landlock: the kernel's allow-list of paths for a process and its children (landlock(7))."""

from __future__ import annotations

import os
import stat
import struct

from homeport.sandbox.inside import syscalls

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_FIRST = (1 << 13) - 1
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
_TCP = 3
_SCOPES = 3  # abstract unix sockets, signals
ABI_REFER, ABI_TRUNCATE, ABI_TCP, ABI_IOCTL, ABI_SCOPES = 2, 3, 4, 5, 6


def abi() -> int:
    """The version of Landlock that runs here; 0 means none."""
    try:
        return syscalls.syscall("landlock", _CREATE_RULESET, 0, 0, _VERSION)
    except OSError:
        return 0


def restrict(readable: list[str], writable: list[str], *, network: bool) -> None:
    """Leave this process what lies below `readable` and `writable`; no-new-privs must be set.

    Paths that do not exist are passed over.

    Raises:
        OSError: The kernel refuses, or has no Landlock.
    """
    version = abi()
    handled = _FIRST
    for lowest, right in (
        (ABI_REFER, _REFER),
        (ABI_TRUNCATE, _TRUNCATE),
        (ABI_IOCTL, _IOCTL_DEVICE),
    ):
        if version >= lowest:
            handled |= right
    ruleset = _ruleset(version, handled, 0 if network else _TCP)
    try:
        for path in readable:
            _allow(ruleset, path, _READ & handled)
        for path in writable:
            _allow(ruleset, path, handled)
        syscalls.syscall("landlock_restrict_self", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def scope() -> None:
    """Shut off abstract unix sockets and signals to the outside, where the kernel can.

    Raises:
        OSError: The kernel refuses.
    """
    version = abi()
    if version < ABI_SCOPES:
        return
    ruleset = _ruleset(version, 0, 0)
    try:
        syscalls.syscall("landlock_restrict_self", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _ruleset(version: int, files: int, network: int) -> int:
    record = struct.pack("=Q", files)
    if version >= ABI_TCP:
        record += struct.pack("=Q", network)
    if version >= ABI_SCOPES:
        record += struct.pack("=Q", _SCOPES)
    return syscalls.syscall("landlock_create_ruleset", _CREATE_RULESET, record, len(record), 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what cannot be opened needs no right
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _FILE
        record = struct.pack("=Qi", rights, descriptor)
        syscalls.syscall("landlock_add_rule", _ADD_RULE, ruleset, _PATH_BENEATH, record, 0)
    finally:
        os.close(descriptor)
