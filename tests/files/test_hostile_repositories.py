"""Requirement 40: a repository that wants to run something is checkpointed and runs nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from homeport.files.checkpoints import Checkpoints
from homeport.files.workspace import Workspace
from support.recording_sandbox import Recorder

NAMES = [
    b";id",
    b"$(touch canary)",
    b"`touch canary`",
    b"--upload-pack=touch canary",
    b"--help",
    b"-rf",
    b"--",
    b"line\nbreak",
    b"tab\tand \"quotes' \\back",
    b":(exclude)*",
    b":/x",
    b":!x",
    b"*",
    b"[a]",
    b"?",
    b"|touch canary",
    b"&& touch canary",
    b"\xff\xfe-not-utf8",
    b"#comment",
    b"!negated",
    b" leading",
    b"trailing ",
    b"HEAD",
    b"refs",
    b"sp ace/$(id)/;x",
    "\u202eright-to-left".encode(),
    b"a" * 250,
]
INCLUDE = "[include]\n\tpath = {root}/evil-config\n"
CONFIG = """
[core]
	repositoryformatversion = 0
	bare = false
	fsmonitor = "touch {canary}; false"
	hooksPath = {hooks}
	sshCommand = touch {canary}
	attributesFile = {root}/evil-attributes
	pager = touch {canary}
	editor = touch {canary}
	worktree = /
[filter "evil"]
	clean = touch {canary} && cat
	smudge = touch {canary} && cat
	process = touch {canary}
	required = true
[diff]
	external = touch {canary}
[diff "evil"]
	command = touch {canary}
	textconv = touch {canary}
[merge "evil"]
	driver = touch {canary}
[commit]
	gpgSign = true
[gpg]
	program = touch {canary}
[credential]
	helper = "!touch {canary}"
[alias]
	ls-files = "!touch {canary}"
	write-tree = "!touch {canary}"
@include@[gc]
	recentObjectsHook = touch {canary}
[extensions]
	partialClone = origin
[remote "origin"]
	promisor = true
	url = ext::touch {canary}
[protocol "ext"]
	allow = always
""".replace("@include@", INCLUDE)
HOOKS = ["reference-transaction", "post-index-change", "pre-commit", "post-checkout", "pre-auto-gc"]


@pytest.fixture
def hostile(root: Path, tmp_path: Path) -> Path:
    """A repository in which everything that git could start touches the canary."""
    environment = {"PATH": os.defpath, "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(["git", "init", "-q"], cwd=root, env=environment, check=True)
    canary, hooks = tmp_path / "canary", root / "evil-hooks"
    hooks.mkdir()
    for folder in (hooks, root / ".git/hooks"):
        for name in HOOKS:
            (folder / name).write_text(f"#!/bin/sh\ntouch {canary}\n", encoding="utf-8")
            (folder / name).chmod(0o755)
    config = CONFIG.format(canary=canary, hooks=hooks, root=root)
    (root / ".git/config").write_text(config, encoding="utf-8")
    included = config.replace(INCLUDE.format(root=root), "")  # in a circle git would just give up
    (root / "evil-config").write_text(included, encoding="utf-8")
    attributes = "* filter=evil diff=evil merge=evil text eol=crlf ident\n"
    for name in (".gitattributes", "evil-attributes", ".git/info/attributes"):
        (root / name).write_text(attributes, encoding="utf-8")
    (root / "sub").mkdir()
    (root / "sub/.gitattributes").write_text("[attr]x filter=evil\n* x\n", encoding="utf-8")
    (root / "sub/code").write_bytes(b"mixed\r\nends\n$Id$\n")
    (root / ".gitmodules").write_text(
        f'[submodule "x"]\n\tpath = x\n\turl = ext::touch {canary}\n\tupdate = !touch {canary}\n',
        encoding="utf-8",
    )
    for name in NAMES:
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content of " + name)
    return root


@pytest.mark.requirement("40")
async def test_checkpoint_when_the_repository_is_hostile_then_nothing_of_it_runs(
    sandbox: Recorder, tmp_path: Path, hostile: Path
) -> None:
    checkpoints, place = Checkpoints(sandbox, tmp_path / "store", kept=2), Workspace(hostile)
    checkpoint = await checkpoints.create(place, label="run/1")
    assert checkpoint is not None
    kept = {name: hostile / os.fsdecode(name) for name in NAMES}
    for number, path in enumerate(kept.values()):
        if number % 2:
            path.unlink()
        else:
            path.write_bytes(b"changed")
    (hostile / "sub/code").write_bytes(b"changed")
    (hostile / "$(touch canary) new;id").write_bytes(b"new")

    diff = await checkpoints.diff(place, old=checkpoint)
    after = await checkpoints.create(place, label="run/end")
    await checkpoints.undo(place, checkpoint=checkpoint, after=after)
    for number in range(25):
        await checkpoints.create(place, label=f"more/{number}")

    for name, path in kept.items():
        assert path.read_bytes() == b"content of " + name
    assert (hostile / "sub/code").read_bytes() == b"mixed\r\nends\n$Id$\n"
    assert not (hostile / "$(touch canary) new;id").exists()
    assert len(diff.files) == len(NAMES) + 2
    assert not list(tmp_path.rglob("canary"))


@pytest.mark.parametrize("command", ["status --untracked-files=no", "add sub/code"])
def test_repository_when_git_is_used_as_people_do_then_something_of_it_does_run(
    tmp_path: Path, hostile: Path, command: str
) -> None:
    # A trap that nobody could fall into would prove nothing.
    subprocess.run(
        ["git", *command.split()],
        cwd=hostile,
        env={"PATH": os.defpath, "HOME": str(tmp_path), "GIT_WORK_TREE": str(hostile)},
        capture_output=True,
        check=False,
    )
    assert list(tmp_path.rglob("canary"))


@pytest.mark.requirement("40")
async def test_every_git_command_when_run_then_it_is_an_argument_list_without_file_names(
    sandbox: Recorder, tmp_path: Path, hostile: Path
) -> None:
    checkpoints, place = Checkpoints(sandbox, tmp_path / "store"), Workspace(hostile)
    checkpoint = await checkpoints.create(place, label="run/1")
    assert checkpoint is not None
    (hostile / ";id").unlink()
    await checkpoints.undo(place, checkpoint=checkpoint)

    assert sandbox.commands
    for command in sandbox.commands:
        assert command.argv[0] == "git"
        assert not [word for word in command.argv if word.encode() in NAMES and word != "--"]
        assert command.workspace_read_only or "checkout-index" in command.argv
