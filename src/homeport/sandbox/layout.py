"""What a command of the full rung sees: the mounts, in the order in which they are made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from homeport.sandbox.inside.mounts import devices
from homeport.sandbox.inside.namespaces import INSIDE_ID
from homeport.sandbox.inside.plan import TYPE_CHECKING
from homeport.sandbox.port import Command
from homeport.sandbox.toolchains import SYSTEM, Toolchains

if TYPE_CHECKING:
    from homeport.sandbox.inside.plan import Mount

HOME = "/tmp/home"  # noqa: S108 - in a /tmp of the command's own
TEMPORARY = "/tmp"  # noqa: S108
_TEMPORARY_BYTES = 1 << 30
_CONFIGURATION = (
    "alternatives",
    "bash.bashrc",
    "bash_completion.d",
    "ca-certificates",
    "ca-certificates.conf",
    "debian_version",
    "fonts",
    "gai.conf",
    "groff",
    "host.conf",
    "inputrc",
    "java",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "login.defs",
    "magic",
    "magic.mime",
    "manpath.config",
    "mime.types",
    "networks",
    "nsswitch.conf",
    "os-release",
    "perl",
    "pki/ca-trust",
    "pki/tls/certs",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "python3.11",
    "python3.12",
    "python3.13",
    "R",
    "rpc",
    "services",
    "shells",
    "ssl/certs",
    "ssl/cert.pem",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
    "vim",
    "xdg",
)


@dataclass(frozen=True, slots=True)
class Places:
    """What is the same for all commands of a server."""

    toolchains: Toolchains
    secrets: Path


def mounts(command: Command, places: Places) -> list[Mount]:
    """The file system of `command`; looks at what exists on this machine."""
    temporary = min(_TEMPORARY_BYTES, command.limits.memory_bytes)
    found: list[Mount] = [
        ("tmpfs", TEMPORARY, f"mode=1777,size={temporary}"),
        ("directory", HOME, "0700"),
        *devices(),
        ("tmpfs", "/dev/shm", f"mode=1777,size={temporary}"),  # noqa: S108
        *_system(),
        *_configuration(network=command.network != "none"),
        ("proc", "/proc", ""),
    ]
    readable = [p for p in (*places.toolchains.directories, *command.readable) if p.exists()]
    found += [("ro", str(p), str(p.resolve())) for p in sorted(set(readable))]
    if _shown(places.secrets, [*SYSTEM, *readable, *command.writable]):
        found.append(("tmpfs", str(places.secrets.resolve()), "mode=0755,size=64k"))
    kind = "ro" if command.workspace_read_only else "rw"
    found.append((kind, str(command.workspace), str(command.workspace.resolve())))
    found += [("rw", str(p), str(p.resolve())) for p in command.writable]
    return found


def _shown(place: Path, opened: Sequence[Path]) -> bool:
    real = place.resolve()
    return real.is_dir() and any(real.is_relative_to(p.resolve()) for p in opened)


def _system() -> list[Mount]:
    found: list[Mount] = []
    for place in (*SYSTEM, Path("/nix/store")):
        if place.is_symlink():
            found.append(("symlink", str(place), str(place.readlink())))
        elif place.is_dir():
            found.append(("ro", str(place), str(place)))
    return found


def _configuration(*, network: bool) -> list[Mount]:
    found: list[Mount] = [
        ("ro", path, str(Path(path).resolve())) for path in configuration_files(network=False)
    ]
    found += [
        ("file", "/etc/passwd", passwd(HOME)),
        ("file", "/etc/group", f"agent:x:{INSIDE_ID}:\nnogroup:x:65534:\n"),
        ("file", "/etc/hosts", "127.0.0.1 localhost homeport\n::1 localhost\n"),
        ("file", "/etc/hostname", "homeport\n"),
    ]
    resolver = Path("/etc/resolv.conf")
    if network and resolver.exists():
        found.append(("file", str(resolver), resolver.read_bytes()))
    return found


def configuration_files(*, network: bool) -> list[str]:
    """What of /etc a command may read, as far as it exists."""
    names = (*_CONFIGURATION, "resolv.conf", "hosts") if network else _CONFIGURATION
    return [path for path in (f"/etc/{name}" for name in names) if Path(path).exists()]


def passwd(home: str) -> str:
    """The two users of a box."""
    shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"  # noqa: PTH110
    return (
        f"agent:x:{INSIDE_ID}:{INSIDE_ID}:agent:{home}:{shell}\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
