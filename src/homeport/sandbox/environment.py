"""The environment of a command: nothing of the server's own, and no variable that loads code."""

from __future__ import annotations

from collections.abc import Mapping

from homeport.sandbox.errors import CommandRefused

_PREFIXES = ("LD_", "DYLD_", "PYTHON", "PERL5", "RUBY", "BASH_FUNC_")
_NAMES = frozenset(
    {
        "BASH_ENV",
        "ENV",
        "GCONV_PATH",
        "GLIBC_TUNABLES",
        "HOME",
        "IFS",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "NODE_OPTIONS",
        "NODE_PATH",
        "PERLLIB",
        "PROMPT_COMMAND",
        "PS4",
        "SHELLOPTS",
        "TMPDIR",
        "ZDOTDIR",
        "_JAVA_OPTIONS",
    }
)


def loads_code(name: str) -> bool:
    """Whether a program that finds the variable `name` runs code by it, or leaves its box's home.

    `GIT_*` is not among them: the house's own git plumbing needs it. Whoever passes on variables
    that came from a person or a file refuses those as well.
    """
    return name in _NAMES or name.startswith(_PREFIXES)


def cleared(
    added: Mapping[str, str], *, path: str, home: str, temporary: str, own: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of a command.

    Args:
        added: The command's own variables.
        path: Its PATH, unless it brings one.
        home: Its HOME.
        temporary: Its TMPDIR.
        own: What its toolchains need.

    Raises:
        CommandRefused: A name is malformed, or is one that loads code.
    """
    for name, value in added.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise CommandRefused(f"{name!r} cannot be an environment variable.")
        if loads_code(name):
            raise CommandRefused(f"The variable {name} is not passed to commands.")
    return {
        "PATH": path,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "GIT_CONFIG_NOSYSTEM": "1",  # it may hold credentials, and is not shown
        **own,
        **added,
        "HOME": home,
        "TMPDIR": temporary,
    }
