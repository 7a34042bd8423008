from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport.sandbox import Rung
from support.server import Server
from support.toolbox import Toolbox, best_sandbox
from tools.agent import started


@pytest.fixture
def tools(tmp_path: Path) -> Toolbox:
    """The tools over an empty workspace with a name that shells and patterns stumble over."""
    root = tmp_path.resolve() / "my wörk [1] 船"
    root.mkdir()
    return Toolbox(root, best_sandbox())


@pytest.fixture
def shell(tools: Toolbox) -> Toolbox:
    """The same, where commands can be run."""
    if tools.sandbox.rung is Rung.UNAVAILABLE:
        pytest.skip("this machine has no sandbox")
    return tools


@pytest.fixture
def outside(tools: Toolbox) -> Path:
    """A folder beside the workspace with a file that nobody may see or change."""
    folder = tools.root.parent / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text("canary", encoding="utf-8")
    return folder


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Toolbox]:
    """The tools over a workspace on a file system of 256 KiB."""
    root = tmp_path.resolve() / "small"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(root)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user cannot mount a small file system")
    yield Toolbox(root, best_sandbox())
    subprocess.run(["umount", "-l", str(root)], check=True)


@pytest.fixture(scope="session")
def obedient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server, whose model calls what it is told to, for all tests of a worker."""
    with started(tmp_path_factory.mktemp("obedient")) as server:
        yield server
