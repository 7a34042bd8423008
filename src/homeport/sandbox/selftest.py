"""Proves a rung by trying to get out of it, at every start of the server."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from homeport.sandbox import planning
from homeport.sandbox.errors import CommandRefused, SandboxFailed
from homeport.sandbox.port import Command, Limits, Rung, Sandbox
from homeport.sandbox.probe import start_time

_EXPECTED = frozenset({"write-workspace"})
# What a rung does not claim: Landlock puts protected names back afterwards.
_NOT_CLAIMED = {
    Rung.FULL: frozenset[str](),
    Rung.LANDLOCK: frozenset({"write-protected", "create-protected", "see-processes"}),
    Rung.SEATBELT: frozenset({"see-processes", "read-server"}),
}
_CONFIG = "[core]\n\tbare = false\n"
_INTERPRETER = str(Path(sys.executable).resolve())
_PROBE = Path(__file__).with_name("probe.py")
_LIMITS = Limits(wall_s=20)


@dataclass(frozen=True, slots=True)
class _Ground:
    """A workspace to try in, a place outside it, and the server's data directory."""

    root: Path
    workspace: Path
    outside: Path
    secret: Path


async def failure_of(sandbox: Sandbox, *, secrets_dir: Path) -> str | None:
    """Why `sandbox` does not hold what its rung claims here; `None` when it does."""
    ground = await planning.off_loop(lambda: _prepare(secrets_dir), _clear)
    server = await asyncio.start_server(_hang_up, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        return await _try(sandbox, ground, port)
    finally:
        server.close()
        await server.wait_closed()
        await planning.finish(lambda: _clear(ground))


async def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _try(sandbox: Sandbox, ground: _Ground, port: int) -> str | None:
    argv = (
        _INTERPRETER,
        "-I",
        "-S",
        str(_PROBE),
        str(ground.outside),
        str(ground.secret),
        str(port),
        f"{os.getpid()}@{start_time(str(os.getpid()))}",
    )
    prefix = Path(sys.base_prefix)
    readable = (_PROBE, *((prefix,) if not prefix.is_relative_to("/usr") else ()))
    try:
        outcome = await sandbox.run(
            Command(argv, ground.workspace, readable=readable, limits=_LIMITS)
        )
    except (SandboxFailed, CommandRefused, OSError) as error:
        return str(error)
    if outcome.exit_code != 0:
        said = outcome.output.decode(errors="replace").strip()
        return f"the probe ended with {outcome.exit_code or outcome.signal}: {said[-500:]}"
    done = frozenset(outcome.stdout.decode().split())
    if not done >= _EXPECTED:
        return "the workspace cannot be written from inside"
    got_out = done - _EXPECTED - _NOT_CLAIMED[sandbox.rung]
    if got_out:
        return f"it does not prevent: {', '.join(sorted(got_out))}"
    return await asyncio.to_thread(_damage, ground)


def _prepare(secrets_dir: Path) -> _Ground:
    root = Path(tempfile.mkdtemp(prefix="homeport-selftest-"))
    workspace, outside = root / "workspace", root / "outside"
    (workspace / ".git" / "hooks").mkdir(parents=True)
    (workspace / ".git" / "config").write_text(_CONFIG, "ascii")
    outside.mkdir()
    (outside / "canary").write_text("canary", "ascii")
    secrets_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, secret = tempfile.mkstemp(prefix=".probe-", dir=secrets_dir)
    with os.fdopen(descriptor, "wb") as file:
        file.write(b"secret")
    return _Ground(root, workspace, outside, Path(secret))


def _damage(ground: _Ground) -> str | None:
    if (ground.workspace / ".git" / "config").read_text("ascii") != _CONFIG:
        return "a protected file has been changed"
    if (ground.workspace / ".mcp.json").exists():
        return "a protected name has been created"
    if sorted(p.name for p in ground.outside.iterdir()) != ["canary"]:
        return "a file outside the workspace has been created"
    return None


def _clear(ground: _Ground) -> None:
    ground.secret.unlink(missing_ok=True)
    shutil.rmtree(ground.root)
