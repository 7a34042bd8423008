"""Which directories a command may read so that its tools work, from the server's PATH.

A directory on PATH is readable, and so is the installation around it, but never the home
directory itself, and never a part of it that also keeps credentials or personal data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SYSTEM = tuple(Path(p) for p in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"))
_STANDARD = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENDINGS = frozenset({"bin", "sbin", "shims", "condabin"})
_WHOLE = frozenset(
    {  # directly below the home directory; nothing but an installation
        ".asdf",
        ".bun",
        ".deno",
        ".ghcup",
        ".goenv",
        ".juliaup",
        ".nodenv",
        ".nvm",
        ".pyenv",
        ".rbenv",
        ".rustup",
        ".sdkman",
        ".volta",
        "anaconda3",
        "miniconda3",
        "miniforge3",
    }
)
_COMPANIONS = {  # found beside a directory on PATH that is not opened as a whole
    ".cargo/bin": (".rustup",),
    ".local/bin": (".local/share/uv", ".local/share/pipx", ".local/share/mise", ".local/lib"),
    "go/bin": ("sdk",),
}


@dataclass(frozen=True, slots=True)
class Toolchains:
    """What the tools of this machine need.

    Attributes:
        directories: Readable, outside the system's own.
        path: PATH of a command: the entries of the server's that it can see.
        variables: Variables that lead tools to their installation, as HOME is another one.
    """

    directories: tuple[Path, ...]
    path: str
    variables: tuple[tuple[str, str], ...]


def find(entries: list[str], *, home: Path, secrets: Path) -> Toolchains:
    """Look at the server's PATH; reads the disk.

    Args:
        entries: The server's PATH, split.
        home: The server's home directory.
        secrets: A directory that stays closed, whatever PATH says.
    """
    directories: list[Path] = []
    visible: list[str] = []
    for entry in dict.fromkeys(entries):
        place = Path(entry)
        if not place.is_absolute() or not place.is_dir():
            continue
        if _system(place):
            visible.append(entry)
            continue
        opened = [p for p in _around(place, home) if _open(p, home, secrets)]
        if opened:
            directories += opened
            visible.append(entry)
    rustup = home / ".rustup"
    variables = (("RUSTUP_HOME", str(rustup)),) if rustup in directories else ()
    path = ":".join(visible) or _STANDARD
    return Toolchains(_outermost(directories), path, variables)


def _system(place: Path) -> bool:
    return any(place.is_relative_to(root) for root in SYSTEM)


def _around(place: Path, home: Path) -> list[Path]:
    if place.is_relative_to(home):
        inside = place.relative_to(home)
        if inside.parts and inside.parts[0] in _WHOLE:
            return [home / inside.parts[0]]
        companions = [home / p for p in _COMPANIONS.get(str(inside), ())]
        prefix = [place.parent] if place.name in _ENDINGS and len(inside.parts) > 2 else [place]
        return [*prefix, *(p for p in companions if p.is_dir())]
    whole = place.name in _ENDINGS and len(place.parts) > 3
    return [place.parent if whole else place]


def _open(place: Path, home: Path, secrets: Path) -> bool:
    real = place.resolve()
    closed = (home.resolve(), secrets.resolve())
    return (
        real != Path("/")
        and not any(kept == real or kept.is_relative_to(real) for kept in closed)
        and not real.is_relative_to(closed[1])
    )


def _outermost(directories: list[Path]) -> tuple[Path, ...]:
    unique = sorted(set(directories))
    return tuple(
        p for p in unique if not any(p != other and p.is_relative_to(other) for other in unique)
    )
