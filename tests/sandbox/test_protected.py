"""Invariant I2: nothing that a command writes changes what runs outside its box."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from homeport.sandbox import PROTECTED_NAMES, Command, CommandRefused, Sandbox
from homeport.sandbox.placeholders import Placeholders
from support.boxes import shell

pytestmark = pytest.mark.requirement("57")


def tree(place: Path) -> dict[str, str]:
    return {
        str(p.relative_to(place)): f"{p.readlink()}" if p.is_symlink() else p.read_text()
        for p in sorted(place.rglob("*"))
        if p.is_symlink() or p.is_file()
    }


ATTACKS = {
    "write the config": "echo x >> .git/config",
    "replace the config": "echo x > c; mv c .git/config",
    "remove the config": "rm -f .git/config",
    "make a hook": "echo x > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit",
    "replace the hooks": "rm -rf .git/hooks; mkdir .git/hooks; echo x > .git/hooks/post-checkout",
    "link the hooks elsewhere": "rm -rf .git/hooks; ln -s ../evil .git/hooks",
    "move the repository away": (
        "mv .git old; mkdir .git; cp -r old/. .git; echo x > .git/config; echo x > .git/hooks/p"
    ),
    "link the repository elsewhere": "cp -r .git evil; rm -rf .git; ln -s evil .git",
    "move the config elsewhere": "echo evil > .git/commondir",
    "a config of the worktree": "echo x > .git/config.worktree",
    "a bare repository in its place": "rm -f .git/HEAD; echo x > HEAD; mkdir objects refs",
    "git's own command": "git config core.fsmonitor ./evil; git config core.hooksPath evil",
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_repository_when_attacked_then_what_git_obeys_is_unchanged(
    box: Sandbox, workspace: Path, name: str
) -> None:
    config = (workspace / ".git" / "config").read_text()
    hooks = tree(workspace / ".git" / "hooks")
    outcome = await box.run(shell(workspace, ATTACKS[name]))
    git = workspace / ".git"
    assert git.is_dir()
    assert not git.is_symlink()
    assert not (git / "hooks").is_symlink()
    assert (git / "config").read_text() == config
    assert tree(git / "hooks") == hooks
    assert not (git / "commondir").exists()
    assert not (git / "config.worktree").exists()
    assert not (workspace / "HEAD").exists()
    if box.rung == "landlock":
        assert outcome.violations


async def test_protected_names_when_absent_then_none_can_be_made(
    box: Sandbox, workspace: Path
) -> None:
    names = " ".join(PROTECTED_NAMES)
    script = f"for n in {names}; do echo x > $n; mkdir -p $n; echo x > $n/settings.json; done; true"
    outcome = await box.run(shell(workspace, script))
    assert sorted(p.name for p in workspace.iterdir()) == [".git"]
    assert outcome.violations == (tuple(sorted(PROTECTED_NAMES)) if box.rung == "landlock" else ())


async def test_protected_names_when_absent_then_files_cannot_be_made_of_them_either(
    box: Sandbox, workspace: Path
) -> None:
    script = f"for n in {' '.join(PROTECTED_NAMES)}; do echo x > $n; done; true"
    await box.run(shell(workspace, script))
    assert sorted(p.name for p in workspace.iterdir()) == [".git"]


async def test_protected_names_when_present_then_they_cannot_be_changed(
    box: Sandbox, workspace: Path
) -> None:
    (workspace / ".mcp.json").write_text("{}")
    (workspace / ".claude" / "commands").mkdir(parents=True)
    (workspace / ".claude" / "commands" / "a.md").write_text("a")
    (workspace / ".bashrc").symlink_to("somewhere")
    before = tree(workspace)
    script = (
        "echo x > .mcp.json; rm -f .mcp.json; echo x > .claude/commands/a.md;"
        "echo x > .claude/new; mv .claude .gone; rm -f .bashrc; echo x > .bashrc; true"
    )
    outcome = await box.run(shell(workspace, script))
    after = tree(workspace)
    assert {k: v for k, v in after.items() if not k.startswith(".gone")} == before
    expected = (".bashrc", ".claude", ".mcp.json") if box.rung == "landlock" else (".bashrc",)
    assert outcome.violations == expected


async def test_protection_when_switched_off_then_the_names_are_ordinary(
    box: Sandbox, workspace: Path
) -> None:
    command = Command(
        ("sh", "-c", "echo x > .mcp.json && git config a.b c"), workspace, protect=False
    )
    outcome = await box.run(command)
    assert outcome.exit_code == 0, outcome.output
    assert (workspace / ".mcp.json").read_text() == "x\n"


async def test_new_repository_when_made_inside_then_git_outside_obeys_nothing_of_it(
    box: Sandbox, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    script = (
        "git init -q . && git -c user.name=A -c user.email=a@b commit -qm x --allow-empty;"
        "git config core.fsmonitor ./evil; echo x > .git/hooks/post-checkout;"
        "printf '[include]\\n\\tpath = ../evil\\n' >> .git/config; echo ../evil > .git/commondir"
    )
    outcome = await box.run(shell(plain, script))
    assert outcome.violations == (".git/commondir", ".git/config", ".git/hooks")
    listed = ["git", "-C", str(plain), "config", "--local", "--list", "--name-only"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()
    assert set(names) <= {
        "core.repositoryformatversion",
        "core.filemode",
        "core.bare",
        "core.logallrefupdates",
    }
    assert not (plain / ".git" / "hooks" / "post-checkout").exists()
    log = ["git", "-C", str(plain), "log", "--format=%s"]
    assert subprocess.run(log, check=True, capture_output=True, text=True).stdout == "x\n"


async def test_pointer_when_made_inside_then_it_is_removed(box: Sandbox, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    script = "git init -q --bare evil; echo 'gitdir: evil' > .git"
    outcome = await box.run(shell(plain, script))
    assert outcome.violations == (".git",)
    assert not (plain / ".git").exists()


async def test_hooks_when_the_directory_is_absent_then_it_stays_absent(
    box: Sandbox, workspace: Path
) -> None:
    for hook in (workspace / ".git" / "hooks").iterdir():
        hook.unlink()
    (workspace / ".git" / "hooks").rmdir()
    await box.run(shell(workspace, "mkdir -p .git/hooks; echo x > .git/hooks/pre-commit; true"))
    assert not (workspace / ".git" / "hooks").exists()


def commit(place: Path) -> None:
    subprocess.run(
        [
            "git",
            "-C",
            str(place),
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@b",
            "commit",
            "-qm",
            "first",
            "--allow-empty",
        ],
        check=True,
    )


async def test_linked_worktree_when_used_then_a_commit_works_and_the_main_config_is_safe(
    full: Sandbox, workspace: Path, tmp_path: Path
) -> None:
    commit(workspace)
    linked = tmp_path / "linked tree"
    add = ["git", "-C", str(workspace), "worktree", "add", "-q", "-b", "side", str(linked)]
    subprocess.run(add, check=True)
    config = (workspace / ".git" / "config").read_text()
    common = f"{workspace}/.git"
    script = (
        "echo x > new && git add new && git -c user.name=A -c user.email=a@b commit -qm second;"
        f"echo x >> '{common}/config'; echo x > '{common}/hooks/pre-commit';"
        "echo evil > $(git rev-parse --git-dir)/commondir; echo gitdir: evil > .git"
    )
    await full.run(shell(linked, script))
    log = ["git", "-C", str(linked), "log", "--format=%s"]
    shown = subprocess.run(log, check=True, capture_output=True, text=True).stdout
    assert shown == "second\nfirst\n"
    assert (workspace / ".git" / "config").read_text() == config
    assert not (workspace / ".git" / "hooks" / "pre-commit").exists()


async def test_pointer_when_it_names_a_stranger_then_that_place_stays_closed(
    box: Sandbox, workspace: Path, tmp_path: Path
) -> None:
    (workspace / ".git" / "secret").write_text("another project")
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / ".git").write_text(f"gitdir: {workspace}/.git\n")
    outcome = await box.run(shell(plain, f"cat '{workspace}/.git/secret'"))
    assert outcome.exit_code != 0
    assert b"another project" not in outcome.output


async def test_worktrees_when_the_repository_has_some_then_they_cannot_be_led_astray(
    box: Sandbox, workspace: Path, tmp_path: Path
) -> None:
    commit(workspace)
    linked = str(tmp_path / "linked")
    subprocess.run(["git", "-C", str(workspace), "worktree", "add", "-q", linked], check=True)
    await box.run(shell(workspace, "echo /evil > .git/worktrees/linked/commondir"))
    assert (workspace / ".git/worktrees/linked/commondir").read_text() == "../..\n"


async def test_placeholders_when_commands_overlap_then_the_last_one_removes_them(
    full: Sandbox, workspace: Path
) -> None:
    async def attack(delay: float) -> None:
        script = f"sleep {delay}; echo x > .mcp.json; mkdir .vscode; echo x > .vscode/tasks.json"
        await full.run(shell(workspace, script))

    await asyncio.gather(*(attack(d / 10) for d in range(6)))
    assert sorted(p.name for p in workspace.iterdir()) == [".git"]


async def test_command_when_its_workspace_is_deleted_meanwhile_then_its_outcome_is_told(
    anything: Sandbox, workspace: Path
) -> None:
    seen = asyncio.Event()
    command = shell(workspace, "echo begun; sleep 0.5; echo done; exit 3")
    running = asyncio.create_task(anything.run(command, on_output=lambda _: seen.set()))
    await seen.wait()
    shutil.rmtree(workspace)
    outcome = await running
    assert (outcome.exit_code, outcome.output) == (3, b"begun\ndone\n")


def test_placeholders_when_left_by_a_crash_then_the_next_command_removes_them(
    tmp_path: Path,
) -> None:
    (tmp_path / ".idea").mkdir()
    Placeholders().hold(tmp_path, [".mcp.json", ".idea"])  # never released
    assert (tmp_path / ".mcp.json").is_dir()
    after = Placeholders()
    held = after.hold(tmp_path, [".mcp.json", ".idea"])
    after.release(tmp_path, held)
    assert [p.name for p in tmp_path.iterdir()] == [".idea"]


async def test_landlock_when_protected_files_are_too_large_then_nothing_runs(
    landlock: Sandbox, workspace: Path
) -> None:
    (workspace / ".claude").mkdir()
    (workspace / ".claude" / "big").write_bytes(bytes(9 << 20))
    with pytest.raises(CommandRefused):
        await landlock.run(shell(workspace, "touch ran"))
    assert not (workspace / "ran").exists()
