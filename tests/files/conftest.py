from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from homeport.files.containment import Opener, best_opener, kernel_open, stepwise_open
from homeport.files.workspace import Workspace
from homeport.sandbox.port import Command, Outcome, Rung
from support.recording_sandbox import Recorder

OPENERS = {"kernel": kernel_open, "stepwise": stepwise_open}
Make = Callable[..., Path]


@pytest.fixture(params=["kernel", "stepwise"])
def opener(request: pytest.FixtureRequest) -> Opener:
    if request.param == "kernel" and best_opener() is not kernel_open:
        pytest.skip("this kernel has no openat2")
    return OPENERS[request.param]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(root: Path) -> Path:
    folder = root.parent / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text("canary", encoding="utf-8")
    return folder


@pytest.fixture
def workspace(root: Path, opener: Opener) -> Workspace:
    return Workspace(root, opener=opener)


class PlainRunner:
    """The sandbox's port without a box."""

    rung = Rung.NONE
    holds: tuple[str, ...] = ()
    remedy: str | None = None

    async def run(
        self, command: Command, *, on_output: Callable[[bytes], None] | None = None
    ) -> Outcome:
        assert on_output is None
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            cwd=command.workspace / command.cwd,
            env={"PATH": os.defpath, "HOME": "/nonexistent", **command.env},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        stdout, stderr = await process.communicate(command.stdin)
        cap = command.limits.output_bytes
        return Outcome(
            exit_code=process.returncode,
            signal=None,
            output=(stderr + stdout)[:cap],
            stdout=stdout[:cap],
            output_size=len(stdout) + len(stderr),
            truncated=len(stdout) > cap,
            duration_ms=int((time.monotonic() - started) * 1000),
            reason="exited",
        )


@pytest.fixture
def sandbox() -> Recorder:
    return Recorder(PlainRunner())
