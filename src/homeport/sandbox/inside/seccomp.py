"""The seccomp filter: what no command needs and every escape uses (seccomp(2), BPF by hand)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from homeport.sandbox.inside import syscalls

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMN = {"x86_64": 0, "aarch64": 1}
_X32 = 0x40000000
_NUMBER, _ARCH, _ARGUMENT = 0, 4, 16
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_NAMESPACES = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWCGROUP
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUSER
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWNET
)

# the numbers on x86_64 and on aarch64
_REFUSED: dict[str, tuple[int, int]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "open_by_handle_at": (304, 265),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "setns": (308, 268),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
}
_ABSENT: dict[str, tuple[int, int]] = {
    # glibc and every runtime fall back when these are not there
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "clone3": (435, 435),  # its flags lie in memory, where a filter cannot look
}
_SHARED: dict[str, tuple[int, int]] = {
    # without namespaces these reach other people's objects
    "shmget": (29, 194),
    "shmat": (30, 196),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "pidfd_send_signal": (424, 424),
}
_X86_ONLY = (172, 173)  # iopl, ioperm
_CLONE, _UNSHARE = (56, 220), (272, 97)
_IOCTL, _SOCKET, _TRUNCATE = (16, 29), (41, 198), (76, 45)
_KILL, _TKILL, _TGKILL = (62, 129), (200, 130), (234, 131)


def program(
    machine: str,
    *,
    families: tuple[int, ...],
    isolated: bool,
    truncate: bool = True,
    shielded: tuple[int, ...] = (),
) -> bytes:
    """The filter as an array of `struct sock_filter`.

    Args:
        machine: `x86_64` or `aarch64`, as uname says.
        families: Address families that socket(2) may open.
        isolated: The command has ipc and pid namespaces of its own.
        truncate: truncate(2) by path may be called (Landlock before ABI 3 does not see it).
        shielded: Processes that may not be signalled, where no namespace hides them.

    Raises:
        KeyError: The architecture is not known.
    """
    column = _COLUMN[machine]
    code = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _ARCHITECTURE[machine]),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        code += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    for number in _refused(machine, isolated=isolated, truncate=truncate):
        code += _answer(number, errno.EPERM)
    for pair in _ABSENT.values():
        code += _answer(pair[column], errno.ENOSYS)
    for pair in (_CLONE, _UNSHARE):
        code += _when(pair[column], 0, [(_ANY_BIT, 0, 1, _NAMESPACES)], errno.EPERM)
    code += _when(_IOCTL[column], 1, _among((_TIOCSTI, _TIOCLINUX)), errno.EPERM)
    code += _unless(_SOCKET[column], 0, families, errno.EAFNOSUPPORT)
    if shielded:
        numbers = (*(pid & 0xFFFFFFFF for pid in shielded), 0xFFFFFFFF)
        for pair in (_KILL, _TKILL, _TGKILL):
            code += _when(pair[column], 0, _among(numbers), errno.EPERM)
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in code)


def _refused(machine: str, *, isolated: bool, truncate: bool) -> list[int]:
    column = _COLUMN[machine]
    numbers = [pair[column] for pair in _REFUSED.values()]
    if machine == "x86_64":
        numbers += _X86_ONLY
    if not isolated:
        numbers += [pair[column] for pair in _SHARED.values()]
    if not truncate:
        numbers.append(_TRUNCATE[column])
    return numbers


def families(*, network: bool, unix: bool) -> tuple[int, ...]:
    """The address families of a command, from what it may reach."""
    inet = (_AF_INET, _AF_INET6, _AF_NETLINK) if network else ()
    return (*inet, _AF_UNIX) if unix else inet


def install(code: bytes) -> None:
    """Put the calling thread, and all that it starts, under `code`; no-new-privs must be set.

    Raises:
        OSError: The kernel refuses.
    """
    held = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(held))
    record = ctypes.create_string_buffer(header, len(header))
    syscalls.prctl(syscalls.PR_SET_SECCOMP, syscalls.SECCOMP_MODE_FILTER, ctypes.addressof(record))


def this_machine() -> str:
    """The architecture's name as `program` takes it."""
    return os.uname().machine


def _answer(number: int, code: int) -> list[tuple[int, int, int, int]]:
    return [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | code)]


def _among(values: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Tests that fall through to the next instruction on a match, and past it otherwise."""
    last = len(values) - 1
    return [(_EQUAL, last - i, 0 if i < last else 1, v) for i, v in enumerate(values)]


def _when(
    number: int, argument: int, tests: list[tuple[int, int, int, int]], code: int
) -> list[tuple[int, int, int, int]]:
    body = [
        (_LOAD, 0, 0, _ARGUMENT + 8 * argument),
        *tests,
        (_RETURN, 0, 0, _ERRNO | code),
        (_LOAD, 0, 0, _NUMBER),
    ]
    return [(_EQUAL, 0, len(body), number), *body]


def _unless(
    number: int, argument: int, values: tuple[int, ...], code: int
) -> list[tuple[int, int, int, int]]:
    tests = [(_EQUAL, len(values) - i, 0, v) for i, v in enumerate(values)]
    body = [
        (_LOAD, 0, 0, _ARGUMENT + 8 * argument),
        *tests,
        (_RETURN, 0, 0, _ERRNO | code),
        (_LOAD, 0, 0, _NUMBER),
    ]
    return [(_EQUAL, 0, len(body), number), *body]
