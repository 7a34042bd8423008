"""Builds the file system that a command sees, and makes it the only one there is."""

# Importing pathlib would cost every command several milliseconds.
# ruff: noqa: PTH101, PTH103, PTH110, PTH112, PTH119, PTH120, PTH211

from __future__ import annotations

import os
import stat

from homeport.sandbox.inside import pids, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from homeport.sandbox.inside.plan import Mount, Plan

_STAGES = ("/tmp", "/mnt", "/run", "/var")  # noqa: S108 - a mount point, nothing is written there
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
KERNEL_SWITCHES = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi")
_PATH = os.O_PATH | os.O_CLOEXEC
_BOUND = syscalls.MOUNT_NOSUID | syscalls.MOUNT_NODEV


def enter(plan: Plan) -> None:
    """Build `plan`'s file system and move into it. The mount namespace must be our own.

    Raises:
        OSError: A step failed; its text names it.
    """
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    sources = _open_sources(plan["mounts"])
    root = next(path for path in _STAGES if os.path.isdir(path))
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
    syscalls.mount("tmpfs", root, "tmpfs", flags, "mode=0755,size=4m")
    for index, (kind, target, value) in enumerate(plan["mounts"]):
        if kind == "proc":
            _proc(root + target, plan["processes"])
        else:
            _apply(root, kind, target, value, sources.get(index, -1))
    for relative, read_only in plan["pins"]:
        _pin(root + plan["workspace"], relative, read_only=read_only)
    for descriptor in sources.values():
        os.close(descriptor)
    _restrict(root, syscalls.MOUNT_RDONLY, recursive=False)
    os.chdir(root)
    syscalls.pivot_root(".", ".")
    syscalls.detach(".")
    os.chdir("/")


def _open_sources(mounts: list[Mount]) -> dict[int, int]:
    """Descriptors of what is bound, taken before anything covers the old tree."""
    return {
        index: os.open(value, _PATH)
        for index, (kind, _, value) in enumerate(mounts)
        if kind in {"ro", "rw"}
    } | {
        index: os.open(f"/dev/{os.path.basename(target)}", _PATH)
        for index, (kind, target, _) in enumerate(mounts)
        if kind == "device"
    }


def _apply(root: str, kind: str, target: str, value: str | bytes, source: int) -> None:
    path = root + target
    if kind == "tmpfs":
        os.makedirs(path, exist_ok=True)
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        syscalls.mount("tmpfs", path, "tmpfs", flags, _text(value))
    elif kind == "directory":
        os.makedirs(path, exist_ok=True)
        os.chmod(path, int(_text(value), 8))
    elif kind in {"ro", "rw"}:
        bind(source, path, _BOUND | (syscalls.MOUNT_RDONLY if kind == "ro" else 0))
    elif kind == "device":
        bind(source, path, syscalls.MOUNT_NOSUID | syscalls.MOUNT_NOEXEC)
    elif kind == "file":
        _write(path, value if isinstance(value, bytes) else value.encode())
    elif kind == "symlink":
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(value, path)
    elif kind == "pts":
        os.makedirs(path, exist_ok=True)
        flags = syscalls.MS_NOSUID | syscalls.MS_NOEXEC
        syscalls.mount("devpts", path, "devpts", flags, "newinstance,ptmxmode=0666,mode=620")
    else:
        message = f"no mount of kind {kind}"
        raise ValueError(message)


def bind(source: int, target: str, attributes: int) -> None:
    """Bind what `source` is open on over `target`, which is made when it is absent.

    Raises:
        OSError: The kernel refuses.
    """
    if stat.S_ISDIR(os.fstat(source).st_mode):
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        _write(target, b"")
    syscalls.mount(f"/proc/self/fd/{source}", target, "", syscalls.MS_BIND | syscalls.MS_REC)
    _restrict(target, attributes, recursive=True)


def _proc(path: str, processes: int) -> None:
    os.makedirs(path, exist_ok=True)
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.mount("proc", path, "proc", flags)
    pids.bound(path, processes)  # the last that may be written there
    for name in KERNEL_SWITCHES:
        # a server that runs as root has a uid to which these files belong, capabilities or not
        if os.path.exists(f"{path}/{name}"):
            source = os.open(f"{path}/{name}", _PATH)
            bind(source, f"{path}/{name}", _BOUND | syscalls.MOUNT_RDONLY)
            os.close(source)


def _pin(workspace: str, relative: str, *, read_only: bool) -> None:
    """Bind `relative` over itself: it can then be neither renamed nor replaced.

    No symbolic link is followed on the way, so a name that is swapped for one is left alone;
    such names are put back after the command.
    """
    parent = os.open(workspace, _PATH | os.O_DIRECTORY)
    *above, name = relative.split("/")
    try:
        for part in above:
            below = os.open(part, _PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            os.close(parent)
            parent = below
        source = os.open(name, _PATH | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:
        os.close(parent)
        return
    if not stat.S_ISLNK(os.fstat(source).st_mode):
        link = f"/proc/self/fd/{source}"
        syscalls.mount(link, link, "", syscalls.MS_BIND | syscalls.MS_REC)
        covered = os.open(name, _PATH | os.O_NOFOLLOW, dir_fd=parent)
        attributes = _BOUND | (syscalls.MOUNT_RDONLY if read_only else 0)
        syscalls.restrict_mount(covered, attributes, recursive=True)
        os.close(covered)
    os.close(source)
    os.close(parent)


def _restrict(path: str, attributes: int, *, recursive: bool) -> None:
    descriptor = os.open(path, _PATH)
    try:
        syscalls.restrict_mount(descriptor, attributes, recursive=recursive)
    finally:
        os.close(descriptor)


def _write(path: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


def devices() -> list[Mount]:
    """The device files of a command, and the terminals it may open for itself."""
    return [
        ("directory", "/dev", "0755"),
        *(("device", f"/dev/{name}", "") for name in _DEVICES),
        ("pts", "/dev/pts", ""),
        ("symlink", "/dev/ptmx", "pts/ptmx"),
        ("symlink", "/dev/fd", "/proc/self/fd"),
        ("symlink", "/dev/stdin", "/proc/self/fd/0"),
        ("symlink", "/dev/stdout", "/proc/self/fd/1"),
        ("symlink", "/dev/stderr", "/proc/self/fd/2"),
    ]
