"""Linux system calls that Python 3.11 has no name for. Numbers: asm/unistd_64.h, asm-generic."""

from __future__ import annotations

import ctypes
import os
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NEWTIME = 0x00000080

MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
MOUNT_RDONLY = 1
MOUNT_NOSUID = 2
MOUNT_NODEV = 4
MOUNT_NOEXEC = 8
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
SECCOMP_MODE_FILTER = 2
LAST_CAPABILITY = 63

PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
CAPSET = {"x86_64": 126, "aarch64": 91}
SETHOSTNAME = {"x86_64": 170, "aarch64": 161}
MOUNT_SETATTR = 442
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(what: str, number: int, *arguments: object) -> int:
    """Call `number`; integers and bytes are passed as 64-bit arguments.

    Raises:
        OSError: With the kernel's errno; `what` stands in its text.
    """
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _check(int(_libc.syscall(ctypes.c_long(number), *converted)), what)


def prctl(option: int, *arguments: int) -> int:
    """Change something about this process.

    Raises:
        OSError: The kernel refuses.
    """
    padded = [*arguments, 0, 0, 0, 0][:4]
    return _check(
        int(_libc.prctl(ctypes.c_int(option), *(ctypes.c_ulong(a) for a in padded))),
        f"prctl {option}",
    )


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` name for new ones.

    Raises:
        OSError: The kernel refuses.
    """
    _check(int(_libc.unshare(ctypes.c_int(flags))), f"unshare {flags:#x}")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount `source` on `target`.

    Raises:
        OSError: The kernel refuses; its text names the target.
    """
    _check(
        int(
            _libc.mount(
                os.fsencode(source),
                os.fsencode(target),
                kind.encode() or None,
                ctypes.c_ulong(flags),
                options.encode() or None,
            )
        ),
        f"mount {kind or 'bind'} on {target}",
    )


def detach(target: str) -> None:
    """Take the mount at `target` out of the tree.

    Raises:
        OSError: The kernel refuses.
    """
    _check(int(_libc.umount2(os.fsencode(target), MNT_DETACH)), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root, and put the old one at `old`.

    Raises:
        OSError: The kernel refuses.
    """
    number = PIVOT_ROOT[os.uname().machine]
    syscall("pivot_root", number, os.fsencode(new), os.fsencode(old))


def restrict_mount(descriptor: int, attributes: int, *, recursive: bool) -> None:
    """Add `attributes` to the mount at `descriptor`, and to those below it (Linux 5.12).

    Raises:
        OSError: The kernel refuses, or is older.
    """
    record = struct.pack("=QQQQ", attributes, 0, 0, 0)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    syscall("mount_setattr", MOUNT_SETATTR, descriptor, b"", flags, record, len(record))


def drop_capabilities() -> None:
    """Give up every capability, for good and for all children.

    Raises:
        OSError: The kernel refuses.
    """
    for capability in range(LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except PermissionError:
            break  # no CAP_SETPCAP: there is nothing in the other sets either
        except OSError:
            break  # beyond the last that this kernel knows
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    syscall("capset", CAPSET[os.uname().machine], header, bytes(24))


def close_except(kept: set[int]) -> None:
    """Close every descriptor but `kept`."""
    lowest = 0
    for descriptor in sorted(kept):
        if lowest < descriptor:  # closerange(0, 0) closes everything on Python 3.11
            os.closerange(lowest, descriptor)
        lowest = descriptor + 1
    os.closerange(lowest, 1 << 20)
