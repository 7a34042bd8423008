from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from homeport.files.checkpoints import Checkpoints, is_git
from homeport.files.errors import CheckpointFailed, CheckpointGone, UndoConflict, WorkspaceMissing
from homeport.files.shadow import BadLabel
from homeport.files.workspace import Workspace
from homeport.sandbox.port import Sandbox

ENVIRONMENT = {
    "PATH": os.defpath,
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org",
}


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return done.stdout


def contents(root: Path) -> dict[str, bytes | str]:
    """Every file and link of the workspace, `.git` included."""
    found: dict[str, bytes | str] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


@pytest.fixture
def repository(root: Path) -> Path:
    git(root, "init", "-q", "-b", "main")
    (root / "src").mkdir()
    (root / "src/app.py").write_bytes(b"print(1)\n")
    (root / "README").write_bytes(b"one\r\ntwo\n")
    (root / ".gitignore").write_bytes(b"*.log\nbuild/\n")
    (root / "tool.sh").write_bytes(b"#!/bin/sh\n")
    (root / "tool.sh").chmod(0o755)
    (root / "link").symlink_to("src/app.py")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    (root / "debug.log").write_bytes(b"ignored")
    (root / "draft.txt").write_bytes(b"untracked")
    return root


@pytest.fixture
def checkpoints(sandbox: Sandbox, tmp_path: Path) -> Checkpoints:
    return Checkpoints(sandbox, tmp_path.resolve() / "store")


@pytest.fixture
def place(root: Path) -> Workspace:
    return Workspace(root)


async def made(checkpoints: Checkpoints, place: Workspace, label: str) -> str:
    commit = await checkpoints.create(place, label=label)
    assert commit is not None
    return commit


async def test_create_when_it_is_no_git_workspace_then_none(
    checkpoints: Checkpoints, place: Workspace, root: Path
) -> None:
    (root / "a.txt").write_bytes(b"x")

    assert await checkpoints.create(place, label="run/1") is None
    assert sorted(p.name for p in root.iterdir()) == ["a.txt"]


async def test_create_when_made_then_the_workspace_and_its_git_are_untouched(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    (repository / "src/app.py").write_bytes(b"print(2)\n")
    git(repository, "add", "src/app.py")
    before = contents(repository)
    times = {p: p.stat().st_mtime_ns for p in repository.rglob("*") if p.is_file()}

    await made(checkpoints, place, "run/1")

    assert contents(repository) == before
    assert {p: p.stat().st_mtime_ns for p in times} == times


async def test_create_when_label_is_taken_then_the_first_state_stays(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    first = await made(checkpoints, place, "run/1")
    (repository / "README").write_bytes(b"changed")

    assert await made(checkpoints, place, "run/1") == first
    assert await made(checkpoints, place, "run/2") != first


@pytest.mark.requirement("40")
@pytest.mark.parametrize("label", ["", "../x", "a..b", "-x", "a b", "a;id", "x.lock", "a/", "a\n"])
async def test_create_when_label_is_no_ref_then_it_is_refused(
    checkpoints: Checkpoints, place: Workspace, repository: Path, label: str
) -> None:
    with pytest.raises(BadLabel):
        await checkpoints.create(place, label=label)


async def test_undo_when_files_changed_came_and_went_then_all_is_as_before(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    (repository / "src/app.py").write_bytes(b"print('staged')\n")
    git(repository, "add", "-A")
    before, head = contents(repository), git(repository, "rev-parse", "HEAD")
    status = git(repository, "status", "--porcelain")
    checkpoint = await made(checkpoints, place, "run/1")

    (repository / "README").write_bytes(b"ruined")
    (repository / "src/app.py").unlink()
    (repository / "draft.txt").unlink()
    (repository / "tool.sh").chmod(0o644)
    (repository / "link").unlink()
    (repository / "link").write_bytes(b"no link")
    (repository / "new/deep").mkdir(parents=True)
    (repository / "new/deep/file.txt").write_bytes(b"made")
    (repository / "debug.log").write_bytes(b"ignored and newer")
    after = await made(checkpoints, place, "run/end")
    done = await checkpoints.undo(place, checkpoint=checkpoint, after=after)

    before["debug.log"] = b"ignored and newer"
    assert contents(repository) == before
    assert stat.S_IMODE((repository / "tool.sh").stat().st_mode) & 0o111
    assert not (repository / "new").exists()
    assert git(repository, "rev-parse", "HEAD") == head
    assert git(repository, "status", "--porcelain") == status
    assert done.removed == ("new/deep/file.txt",)
    assert set(done.restored) == {"README", "draft.txt", "link", "src/app.py", "tool.sh"}


async def test_undo_when_undone_itself_then_the_later_state_is_back(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    checkpoint = await made(checkpoints, place, "run/1")
    (repository / "README").write_bytes(b"later")
    (repository / "extra").write_bytes(b"later")

    first = await checkpoints.undo(place, checkpoint=checkpoint)
    assert not (repository / "extra").exists()
    await checkpoints.undo(place, checkpoint=first.before)

    assert (repository / "README").read_bytes() == b"later"
    assert (repository / "extra").read_bytes() == b"later"


async def test_undo_when_files_changed_after_the_run_then_conflict_names_them(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    checkpoint = await made(checkpoints, place, "run/1")
    (repository / "README").write_bytes(b"by the run")
    (repository / "src/app.py").write_bytes(b"by the run")
    after = await made(checkpoints, place, "run/end")
    (repository / "README").write_bytes(b"by a person")
    (repository / "draft.txt").write_bytes(b"by a person")

    with pytest.raises(UndoConflict) as error:
        await checkpoints.undo(place, checkpoint=checkpoint, after=after)
    assert error.value.code == "undo.conflict"
    assert error.value.members["paths"] == ["README"]
    assert (repository / "src/app.py").read_bytes() == b"by the run"

    done = await checkpoints.undo(place, checkpoint=checkpoint, after=after, force=True)

    assert (repository / "README").read_bytes() == b"one\r\ntwo\n"
    assert (repository / "src/app.py").read_bytes() == b"print(1)\n"
    assert (repository / "draft.txt").read_bytes() == b"by a person"
    await checkpoints.undo(place, checkpoint=done.before)
    assert (repository / "README").read_bytes() == b"by a person"


async def test_undo_when_a_person_put_it_back_already_then_no_conflict(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    checkpoint = await made(checkpoints, place, "run/1")
    (repository / "README").write_bytes(b"by the run")
    after = await made(checkpoints, place, "run/end")
    (repository / "README").write_bytes(b"one\r\ntwo\n")

    done = await checkpoints.undo(place, checkpoint=checkpoint, after=after)

    assert done.restored == ()


async def test_undo_when_ignore_rules_changed_then_files_ignored_before_stay(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    checkpoint = await made(checkpoints, place, "run/1")
    (repository / ".gitignore").write_bytes(b"build/\n")
    (repository / "new.txt").write_bytes(b"made")

    done = await checkpoints.undo(place, checkpoint=checkpoint)

    assert (repository / "debug.log").read_bytes() == b"ignored"
    assert (repository / ".gitignore").read_bytes() == b"*.log\nbuild/\n"
    assert not (repository / "new.txt").exists()
    assert done.kept == ("debug.log",)


async def test_undo_when_repository_excludes_by_info_then_those_files_stay(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    (repository / ".git/info/exclude").write_bytes(b"*.secret\n")
    checkpoint = await made(checkpoints, place, "run/1")
    (repository / "a.secret").write_bytes(b"x")
    (repository / "b.txt").write_bytes(b"x")

    await checkpoints.undo(place, checkpoint=checkpoint)

    assert (repository / "a.secret").exists()
    assert not (repository / "b.txt").exists()


async def test_undo_when_an_ignored_file_is_tracked_then_it_is_restored(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    git(repository, "add", "-f", "debug.log")
    checkpoint = await made(checkpoints, place, "run/1")
    (repository / "debug.log").unlink()

    await checkpoints.undo(place, checkpoint=checkpoint)

    assert (repository / "debug.log").read_bytes() == b"ignored"


async def test_undo_when_files_and_folders_swapped_kinds_then_they_swap_back(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    (repository / "pkg").mkdir()
    (repository / "pkg/a").write_bytes(b"a")
    before = contents(repository)
    checkpoint = await made(checkpoints, place, "run/1")
    (repository / "README").unlink()
    (repository / "README").mkdir()
    (repository / "README/inside").write_bytes(b"x")
    (repository / "pkg/a").unlink()
    (repository / "pkg").rmdir()
    (repository / "pkg").symlink_to("src")
    (repository / "src/a").write_bytes(b"seen through the link")

    await checkpoints.undo(place, checkpoint=checkpoint)

    assert contents(repository) == before


async def test_undo_when_there_is_no_commit_yet_then_it_works_alike(
    checkpoints: Checkpoints, place: Workspace, root: Path
) -> None:
    git(root, "init", "-q")
    empty = await made(checkpoints, place, "run/1")
    (root / "a.txt").write_bytes(b"x")
    second = await made(checkpoints, place, "run/2")
    (root / "a.txt").write_bytes(b"y")

    await checkpoints.undo(place, checkpoint=second)
    assert (root / "a.txt").read_bytes() == b"x"
    await checkpoints.undo(place, checkpoint=empty)
    assert not (root / "a.txt").exists()


async def test_undo_when_repositories_are_nested_then_they_are_left_alone(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    for name in ("with-commit", "without"):
        (repository / name).mkdir()
        git(repository / name, "init", "-q")
        (repository / name / "own.txt").write_bytes(b"x")
    git(repository / "with-commit", "add", "-A")
    git(repository / "with-commit", "commit", "-qm", "x")
    checkpoint = await made(checkpoints, place, "run/1")
    (repository / "with-commit/own.txt").write_bytes(b"changed")
    (repository / "without/own.txt").write_bytes(b"changed")
    (repository / "README").write_bytes(b"changed")

    done = await checkpoints.undo(place, checkpoint=checkpoint)

    assert done.restored == ("README",)
    assert (repository / "with-commit/own.txt").read_bytes() == b"changed"
    assert (repository / "without/own.txt").read_bytes() == b"changed"


async def test_undo_when_workspace_is_a_worktree_then_it_works_alike(
    checkpoints: Checkpoints, repository: Path
) -> None:
    tree = repository.parent / "worktree"
    git(repository, "worktree", "add", "-q", str(tree), "-b", "side")
    place = Workspace(tree)
    checkpoint = await made(checkpoints, place, "run/1")
    (tree / "README").write_bytes(b"changed")

    await checkpoints.undo(place, checkpoint=checkpoint)

    assert (tree / "README").read_bytes() == b"one\r\ntwo\n"
    assert git(tree, "status", "--porcelain") == ""


async def test_undo_when_git_directory_was_destroyed_then_files_still_come_back(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    checkpoint = await made(checkpoints, place, "run/1")
    subprocess.run(["rm", "-rf", str(repository / ".git")], check=True)
    (repository / "README").unlink()

    await checkpoints.undo(place, checkpoint=checkpoint)

    assert (repository / "README").read_bytes() == b"one\r\ntwo\n"


async def test_undo_when_a_file_changes_size_preserving_within_a_tick_then_it_is_seen(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    for number in range(5):
        checkpoint = await made(checkpoints, place, f"run/{number}")
        before = (repository / "README").stat()
        (repository / "README").write_bytes(b"%d" % number + b"e\r\ntwo\n")
        os.utime(repository / "README", ns=(before.st_atime_ns, before.st_mtime_ns))
        await checkpoints.undo(place, checkpoint=checkpoint)
        assert (repository / "README").read_bytes() == b"one\r\ntwo\n"


async def test_undo_when_checkpoint_is_unknown_then_it_is_gone(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    await made(checkpoints, place, "run/1")

    for unknown in ("0" * 40, "HEAD", "--help", git(repository, "rev-parse", "HEAD").strip()):
        with pytest.raises(CheckpointGone):
            await checkpoints.undo(place, checkpoint=unknown)


async def test_create_when_there_are_many_then_only_the_last_are_kept(
    sandbox: Sandbox, tmp_path: Path, place: Workspace, repository: Path
) -> None:
    checkpoints = Checkpoints(sandbox, tmp_path.resolve() / "store", kept=3)
    made_ones: list[str] = []
    for number in range(25):
        (repository / "README").write_bytes(str(number).encode())
        made_ones.append(await made(checkpoints, place, f"run-{number}/1"))

    with pytest.raises(CheckpointGone):
        await checkpoints.undo(place, checkpoint=made_ones[0])
    await checkpoints.undo(place, checkpoint=made_ones[22])
    assert (repository / "README").read_bytes() == b"22"


async def test_create_when_the_cache_is_broken_then_it_is_made_anew(
    checkpoints: Checkpoints, place: Workspace, repository: Path, tmp_path: Path
) -> None:
    await made(checkpoints, place, "run/1")
    for index in (tmp_path / "store").glob("*/index"):
        index.write_bytes(b"DIRC broken")
    (repository / "README").write_bytes(b"changed")

    checkpoint = await made(checkpoints, place, "run/2")
    (repository / "README").unlink()
    await checkpoints.undo(place, checkpoint=checkpoint)

    assert (repository / "README").read_bytes() == b"changed"


async def test_create_when_git_fails_then_the_reason_is_told(
    checkpoints: Checkpoints, place: Workspace, repository: Path, tmp_path: Path
) -> None:
    await made(checkpoints, place, "run/1")
    [store] = (tmp_path / "store").iterdir()
    subprocess.run(["rm", "-rf", str(store / "objects")], check=True)
    (store / "objects").write_bytes(b"")
    with pytest.raises((CheckpointFailed, FileExistsError)):
        await checkpoints.create(place, label="run/2")


async def test_create_when_there_are_thousands_of_files_then_each_is_in_it(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    for folder in range(50):
        (repository / f"many/{folder}").mkdir(parents=True)
        for number in range(60):
            (repository / f"many/{folder}/{number}.txt").write_bytes(b"%d" % number)
    checkpoint = await made(checkpoints, place, "run/1")
    subprocess.run(["rm", "-rf", str(repository / "many")], check=True)

    done = await checkpoints.undo(place, checkpoint=checkpoint)

    assert len(done.restored) == 3_000
    assert (repository / "many/49/59.txt").read_bytes() == b"59"


async def test_diff_when_files_differ_then_counts_and_patch_say_how(
    checkpoints: Checkpoints, place: Workspace, repository: Path
) -> None:
    old = await made(checkpoints, place, "run/1")
    (repository / "src/app.py").write_bytes(b"print(2)\nprint(3)\n")
    (repository / "picture").write_bytes(b"\0\1\2" * 100)
    (repository / "draft.txt").unlink()

    diff = await checkpoints.diff(place, old=old)

    found = {c.path: (c.status, c.added, c.removed) for c in diff.files}
    assert found == {
        "draft.txt": ("deleted", 0, 1),
        "picture": ("added", None, None),
        "src/app.py": ("modified", 2, 1),
    }
    assert "+print(3)" in diff.patch
    assert not diff.truncated
    new = await made(checkpoints, place, "run/2")
    assert await checkpoints.diff(place, old=old, new=new) == diff
    short = await checkpoints.diff(place, old=old, new=new, patch_bytes=50)
    assert short.truncated
    assert len(short.patch.encode()) <= 50
    assert short.files == diff.files


def test_is_git_when_asked_then_only_the_top_of_a_repository_is(root: Path) -> None:
    assert not is_git(Workspace(root))
    (root / ".git").mkdir()
    assert not is_git(Workspace(root))
    (root / ".git").rmdir()
    (root / ".git").symlink_to("elsewhere")
    assert not is_git(Workspace(root))
    (root / ".git").unlink()
    git(root, "init", "-q")
    assert is_git(Workspace(root))
    root.rename(root.with_name("moved"))
    with pytest.raises(WorkspaceMissing):
        is_git(Workspace(root))
