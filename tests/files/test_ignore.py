"""The rules of `.gitignore`, with git itself as the judge."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeport.files.ignore import Rules, ignored
from homeport.files.workspace import Workspace

ENVIRONMENT = {
    "PATH": os.defpath,
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "LC_ALL": "C",
}
TREE = [
    "a",
    "b",
    "a.log",
    "b.txt",
    "#x",
    "!y",
    "src/a",
    "src/a.log",
    "src/deep/a",
    "src/deep/b.txt",
    "build/a",
    "build/deep/b",
    "deep/build/a.log",
    "deep/src/a/b",
    "[x]",
    "x-y",
    "sp ace",
]
LINES = st.sampled_from([
    "a", "b", "*.log", "!a.log", "/a", "/src", "src/", "build/", "deep", "deep/", "**/a", "src/**",
    "src/**/a", "!src/deep", "!src/deep/a", "*", "!*/", "!*.txt", "/*", "a/b", "**/deep/b*", "[ab]",
    "[!a]", "\\#x", "\\!y", "#comment", "", "   ", "sp\\ ace", "sp ace ", "\\[x\\]", "?", "x-y",
    "[a-c].*", "src/*/b.txt", "**", "**/", "/**/a", "build", "!build/", "deep/**/b", "*a*", "[",
    "a\\", "!/a", "/build/*", "!/build/a", "//a", "a//b", "src/deep/../a",
])  # fmt: skip


def git_says(root: Path) -> set[str]:
    done = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "-z"],
        cwd=root,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in done.stdout.split("\0") if name}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ignore").resolve() / "tree"
    for name in TREE:
        if not (root / name).exists() and not any(other.startswith(f"{name}/") for other in TREE):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"")
    subprocess.run(["git", "init", "-q"], cwd=root, env=ENVIRONMENT, check=True)
    return root


@settings(max_examples=150, deadline=None)
@given(
    top=st.lists(LINES, max_size=6),
    below=st.lists(LINES, max_size=4),
    exclude=st.lists(LINES, max_size=2),
)
def test_walk_when_there_are_any_rules_then_it_sees_what_git_sees(
    tree: Path, top: list[str], below: list[str], exclude: list[str]
) -> None:
    (tree / ".gitignore").write_text("\n".join(top), encoding="utf-8")
    (tree / "src/.gitignore").write_text("\r\n".join(below), encoding="utf-8")
    (tree / ".git/info/exclude").write_text("\n".join(exclude), encoding="utf-8")

    assert set(Workspace(tree).walk()) == git_says(tree)


def test_rules_when_deeper_ones_speak_then_they_decide() -> None:
    layers = [(0, Rules("*.log\n/keep\n")), (1, Rules("!a.log\n"))]

    assert ignored(layers, ("x", "b.log"), is_folder=False)
    assert not ignored(layers, ("x", "a.log"), is_folder=False)
    assert ignored(layers, ("keep",), is_folder=True)
    assert not ignored(layers, ("x", "keep"), is_folder=True)


def test_rules_when_they_are_hostile_then_the_walk_ends(tree: Path) -> None:
    (tree / ".gitignore").write_text(("*a" * 60 + "b\n") * 300, encoding="utf-8")
    name = tree / ("a" * 240)
    name.write_bytes(b"")
    try:
        assert name.name in set(Workspace(tree).walk())
    finally:
        name.unlink()
