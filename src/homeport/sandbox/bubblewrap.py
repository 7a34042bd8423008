"""The same file system as our own launcher's, told to bubblewrap in its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from homeport.sandbox.inside import seccomp
from homeport.sandbox.inside.mounts import KERNEL_SWITCHES
from homeport.sandbox.inside.namespaces import INSIDE_ID

if TYPE_CHECKING:
    from homeport.sandbox.inside.plan import Mount

_BASE = (
    "--unshare-user",
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    "--hostname",
    "homeport",
    "--uid",
    str(INSIDE_ID),
    "--gid",
    str(INSIDE_ID),
)
EXECUTE = ("/bin/sh", "-c", 'exec "$@"', "sh")  # tells 126 and 127 apart, as the others do


def wrapper(
    program: str,
    mounts: list[Mount],
    pins: list[tuple[str, bool]],
    *,
    workspace: str,
    cwd: str,
    network: bool,
    disable_userns: bool,
) -> tuple[list[str], list[str], list[bytes]]:
    """How bubblewrap is called, its words, and the files that these name as `{fd:n}`.

    The words go over a descriptor: as arguments they would be shown inside, with every path.

    Args:
        program: Path of bwrap.
        mounts: As `layout.mounts` gives them.
        pins: As `protected.Guard` gives them.
        workspace: Where the pins are relative to.
        cwd: Where the command starts.
        network: The machine's own network instead of none.
        disable_userns: This bubblewrap knows `--disable-userns` (0.8).
    """
    code = seccomp.program(
        seccomp.this_machine(),
        families=seccomp.families(network=True, unix=True),
        isolated=True,
    )
    files = [code]
    words = [*_BASE, "--seccomp", "{fd:0}"]
    words += [] if network else ["--unshare-net"]
    words += ["--disable-userns"] if disable_userns else []
    for mount in mounts:
        words += _words(mount, files)
    for relative, read_only in pins:
        path = f"{workspace}/{relative}"
        words += ["--ro-bind" if read_only else "--bind", path, path]
    words += ["--remount-ro", "/", "--chdir", cwd]
    return [program, "--args", "{words}", "--", *EXECUTE], words, files


def _words(mount: Mount, files: list[bytes]) -> list[str]:
    kind, target, value = mount
    text = value if isinstance(value, str) else ""
    if kind == "tmpfs":
        options = dict(part.split("=") for part in text.split(","))
        size = options["size"].replace("k", "000")
        return ["--perms", options["mode"], "--size", size, "--tmpfs", target]
    if kind == "directory":
        # /dev is made by --dev, with the terminals and devices that the list names after it
        return ["--dev", target] if target == "/dev" else ["--perms", text, "--dir", target]
    if kind in {"ro", "rw"}:
        return ["--ro-bind" if kind == "ro" else "--bind", text, target]
    if kind == "symlink":
        return [] if target.startswith("/dev/") else ["--symlink", text, target]
    if kind == "file":
        files.append(value if isinstance(value, bytes) else value.encode())
        return ["--perms", "0644", "--ro-bind-data", f"{{fd:{len(files) - 1}}}", target]
    if kind == "proc":
        # a server that runs as root has a uid to which these files belong, capabilities or not
        covers = [
            path for path in (f"{target}/{n}" for n in KERNEL_SWITCHES) if Path(path).exists()
        ]
        return ["--proc", target, *(w for path in covers for w in ("--ro-bind", path, path))]
    return []  # device, pts: part of --dev
