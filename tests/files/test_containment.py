"""Requirement 41: sixty payloads and a race; nothing outside is read, written, made or removed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from homeport.files.containment import Opener
from homeport.files.workspace import Workspace
from homeport.kernel.errors import HomeportError

CANARY = b"canary"
FULLWIDTH = "\uff0e\uff0e\uff0f"
PAYLOADS = [
    "../outside/secret.txt",
    "../../outside/secret.txt",
    "sub/../../outside/secret.txt",
    "sub/../sub/../../outside/secret.txt",
    "./../outside/secret.txt",
    ".//..//outside//secret.txt",
    "sub/./.././../outside/secret.txt",
    "..",
    "../",
    "../.",
    "../workspace/../outside/secret.txt",
    "../workspace-twin/secret.txt",
    "missing/../../outside/secret.txt",
    "file.txt/../../outside/secret.txt",
    "/outside/secret.txt",
    "{outside}/secret.txt",
    "/{outside}/secret.txt",
    "//{outside}/secret.txt",
    "{root}/file.txt",
    "{root}/../outside/secret.txt",
    "/proc/self/root{outside}/secret.txt",
    "/proc/self/cwd",
    "/dev/stdin",
    "/",
    "//",
    "link-file",
    "link-folder/secret.txt",
    "link-folder/new.txt",
    "link-folder/../outside/secret.txt",
    "link-up/outside/secret.txt",
    "link-up/outside/new.txt",
    "link-up",
    "link-absolute-inside",
    "link-to-link",
    "link-to-link-folder/secret.txt",
    "link-dangling",
    "link-dangling-relative",
    "link-dangling-chain",
    "link-dangling-folder/new.txt",
    "link-loop",
    "link-loop/x",
    "link-loop-two",
    "link-proc/root{outside}/secret.txt",
    "link-proc-cwd/secret.txt",
    "link-root{outside}/secret.txt",
    "link-dots",
    "sub/link-up-two/outside/secret.txt",
    "sub/link-sibling",
    "file.txt\x00/../../outside/secret.txt",
    "\x00",
    "../outside/secret.txt\x00.png",
    "\ud800/x",
    "..\\outside\\secret.txt",
    "sub\\..\\..\\outside\\secret.txt",
    "C:\\outside\\secret.txt",
    "%2e%2e/outside/secret.txt",
    "..%2foutside%2fsecret.txt",
    f"{FULLWIDTH}outside{FULLWIDTH}secret.txt",
    "\u2025/outside/secret.txt",
    "..\u200b/outside/secret.txt",
    "../OUTSIDE/SECRET.TXT",
    "~/secret.txt",
    "~root/secret.txt",
    "$HOME/secret.txt",
    "file:///etc/passwd",
    "..;/outside/secret.txt",
    "....//outside/secret.txt",
    "a" * 256,
    "a/" * 3000 + "x",
    "../" * 90 + "etc/passwd",
    "sub/" + "../" * 90 + "etc/passwd",
    "link-folder/\n/../secret.txt",
    "-rf",
]
LINKS = {
    "link-file": "{outside}/secret.txt",
    "link-folder": "{outside}",
    "link-up": "..",
    "link-absolute-inside": "{root}/file.txt",
    "link-to-link": "link-file",
    "link-to-link-folder": "link-folder",
    "link-dangling": "{outside}/made.txt",
    "link-dangling-relative": "../outside/made.txt",
    "link-dangling-chain": "link-dangling",
    "link-dangling-folder": "../outside/made-folder",
    "link-loop": "link-loop",
    "link-loop-two": "link-loop",
    "link-proc": "/proc/self",
    "link-proc-cwd": "/proc/self/cwd",
    "link-root": "/",
    "link-dots": "sub/../../outside/secret.txt",
    "sub/link-up-two": "../..",
    "sub/link-sibling": "../../outside/secret.txt",
}


@pytest.fixture
def trap(root: Path, outside: Path) -> Path:
    (root / "sub").mkdir()
    (root / "file.txt").write_bytes(b"inside")
    twin = root.with_name("workspace-twin")
    twin.mkdir()
    (twin / "secret.txt").write_bytes(CANARY)
    for name, target in LINKS.items():
        (root / name).symlink_to(target.format(outside=outside, root=root))
    return outside


def snapshot(root: Path) -> dict[str, bytes | None]:
    """Everything beside the workspace, with contents."""
    found: dict[str, bytes | None] = {}
    for path in sorted(root.parent.rglob("*")):
        if not path.is_relative_to(root):
            found[str(path)] = path.read_bytes() if path.is_file() else None
    return found


def acts(workspace: Workspace) -> list[Callable[[str], object]]:
    return [
        workspace.read,
        workspace.stat,
        workspace.exists,
        workspace.list,
        lambda path: list(workspace.walk(path)),
        lambda path: workspace.write(path, b"evil"),
        lambda path: workspace.write(path, b"evil", create_dirs=True),
        workspace.make_folder,
        lambda path: workspace.delete(path, recursive=True),
    ]


def test_payloads_when_counted_then_there_are_at_least_sixty() -> None:
    assert len(set(PAYLOADS)) >= 60


@pytest.mark.requirement("41")
@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_path_when_hostile_then_nothing_outside_is_read_or_touched(
    workspace: Workspace, root: Path, trap: Path, payload: str
) -> None:
    path = payload.format(outside=trap, root=root) if "{" in payload else payload
    before = snapshot(root)

    for act in acts(workspace):
        with suppress(HomeportError):
            answer = act(path)
            assert CANARY not in repr(answer).encode()
            assert str(root.parent) not in repr(answer)

    assert snapshot(root) == before


@pytest.mark.requirement("41")
@pytest.mark.parametrize("payload", PAYLOADS[:25], ids=range(25))
def test_path_when_it_leads_out_then_the_code_says_so(
    workspace: Workspace, root: Path, trap: Path, payload: str
) -> None:
    path = payload.format(outside=trap, root=root)

    for act in (workspace.read, workspace.stat, workspace.list):
        with pytest.raises(HomeportError) as error:
            act(path)
        assert error.value.code in {
            "files.outside-workspace",
            "files.not-found",
            "files.not-a-folder",
        }


@pytest.mark.requirement("41")
@pytest.mark.parametrize(
    "path",
    ["link-dangling", "link-dangling-relative", "link-dangling-chain", "link-dangling-folder/x"],
)
def test_first_write_when_link_dangles_outwards_then_it_is_refused(
    workspace: Workspace, root: Path, trap: Path, path: str
) -> None:
    with pytest.raises(HomeportError) as error:
        workspace.write(path, b"evil", create_dirs=True)

    assert error.value.code == "files.outside-workspace"
    assert sorted(p.name for p in trap.iterdir()) == ["secret.txt"]


@pytest.mark.requirement("41")
def test_write_when_file_is_a_hard_link_then_the_other_name_keeps_its_content(
    workspace: Workspace, root: Path, outside: Path
) -> None:
    os.link(outside / "secret.txt", root / "hard.txt")

    workspace.write("hard.txt", b"changed")

    assert (root / "hard.txt").read_bytes() == b"changed"
    assert (outside / "secret.txt").read_bytes() == CANARY


@pytest.mark.requirement("41")
def test_names_when_they_differ_in_normal_form_or_case_then_they_are_different_files(
    workspace: Workspace, root: Path
) -> None:
    workspace.write("caf\u00e9.txt", b"composed")
    if (root / "CAF\u00c9.TXT").exists():
        pytest.skip("this file system folds case")

    assert not workspace.exists("cafe\u0301.txt")
    assert not workspace.exists("CAF\u00c9.TXT")
    assert workspace.read("caf\u00e9.txt") == b"composed"


SWAPPER = """
import ctypes, os, sys
one, other = map(os.fsencode, sys.argv[1:])
libc = ctypes.CDLL(None, use_errno=True)
while os.getppid() == int(os.environ["PARENT"]):
    for _ in range(100):
        if sys.platform == "darwin":
            libc.renamex_np(one, other, 2)
        else:
            libc.renameat2(-100, one, -100, other, 2)
"""


def race(workspace: Workspace, root: Path, outside: Path, attempts: int) -> None:
    """Another process swaps a folder for a link outwards, in one step, without a pause."""
    inside, link = root / "swap", root / "link"
    inside.mkdir()
    (inside / "deep").mkdir()
    (inside / "secret.txt").write_bytes(b"inside")
    (outside / "deep").mkdir()
    link.symlink_to(outside)
    before = snapshot(root)
    swapper = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", SWAPPER, str(inside), str(link)],
        env={"PARENT": str(os.getpid())},
    )
    reads = refusals = 0
    paths = ("swap/secret.txt", "swap/deep/../secret.txt", "link/secret.txt", "swap/new/../x.txt")
    try:
        for number in range(attempts):
            act = acts(workspace)[number % len(acts(workspace))]
            try:
                answer = act(paths[number // 9 % len(paths)])
            except HomeportError:
                refusals += 1
                continue
            assert CANARY not in repr(answer).encode()
            reads += isinstance(answer, bytes)
    finally:
        swapper.kill()
        swapper.wait()
    assert reads > 0
    assert refusals > 0
    assert snapshot(root) == before


@pytest.mark.requirement("41")
def test_race_when_a_folder_is_swapped_for_a_link_then_nothing_escapes(
    workspace: Workspace, root: Path, outside: Path
) -> None:
    race(workspace, root, outside, 1_000)


@pytest.mark.requirement("41")
@pytest.mark.faults
def test_race_when_it_goes_on_for_long_then_nothing_escapes(
    root: Path, outside: Path, opener: Opener
) -> None:
    race(Workspace(root, opener=opener), root, outside, 100_000)
