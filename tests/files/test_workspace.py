from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from homeport.files.containment import Opener
from homeport.files.errors import (
    BadPath,
    FileChanged,
    FileNotFound,
    FileTooLarge,
    FolderNotEmpty,
    NotAFile,
    NotAFolder,
    NotPermitted,
    OutsideWorkspace,
    ProtectedPath,
    WorkspaceFull,
    WorkspaceMissing,
)
from homeport.files.translation import told
from homeport.files.workspace import ABSENT, Workspace


def test_read_when_offset_and_limit_are_given_then_that_part_is_returned(
    workspace: Workspace, root: Path
) -> None:
    (root / "a.txt").write_bytes(b"0123456789")

    assert workspace.read("a.txt") == b"0123456789"
    assert workspace.read("a.txt", 3, 4) == b"3456"
    assert workspace.read("a.txt", 8, 100) == b"89"
    assert workspace.read("a.txt", 50, 10) == b""


def test_read_when_file_is_huge_then_only_a_part_can_be_had(root: Path, opener: Opener) -> None:
    with (root / "huge").open("wb") as file:
        file.truncate(50 << 30)
    workspace = Workspace(root, opener=opener, whole_bytes=1024)

    with pytest.raises(FileTooLarge) as error:
        workspace.read("huge")
    assert error.value.members["size"] == 50 << 30
    assert workspace.read("huge", 40 << 30, 3) == b"\0\0\0"


@pytest.mark.parametrize("path", ["pipe", "socket", "device", "folder"])
def test_read_when_it_is_no_regular_file_then_it_is_refused_without_hanging(
    workspace: Workspace, root: Path, path: str
) -> None:
    os.mkfifo(root / "pipe")
    os.mknod(root / "socket", stat.S_IFSOCK | 0o600)
    (root / "folder").mkdir()
    if os.geteuid() == 0:
        os.mknod(root / "device", stat.S_IFCHR | 0o600, os.makedev(5, 0))
    else:
        os.mkfifo(root / "device")

    with pytest.raises(NotAFile):
        workspace.read(path)
    with pytest.raises(NotAFile):
        workspace.write(path, b"x")


def test_write_when_file_exists_then_content_changes_and_mode_stays(
    workspace: Workspace, root: Path
) -> None:
    (root / "run.sh").write_text("old", encoding="utf-8")
    (root / "run.sh").chmod(0o754)

    written = workspace.write("run.sh", b"new")

    assert (root / "run.sh").read_bytes() == b"new"
    assert stat.S_IMODE((root / "run.sh").stat().st_mode) == 0o754
    assert written.executable
    assert written.size == 3
    assert [p.name for p in root.iterdir()] == ["run.sh"]


def test_write_when_file_is_set_uid_then_the_bit_goes(workspace: Workspace, root: Path) -> None:
    (root / "tool").write_text("old", encoding="utf-8")
    (root / "tool").chmod(0o4755)

    workspace.write("tool", b"new")

    assert stat.S_IMODE((root / "tool").stat().st_mode) == 0o755


def test_write_when_folders_are_missing_then_create_dirs_decides(
    workspace: Workspace, root: Path
) -> None:
    with pytest.raises(FileNotFound):
        workspace.write("a/b/c.txt", b"x")
    workspace.write("a/b/c.txt", b"x", create_dirs=True)

    assert (root / "a/b/c.txt").read_bytes() == b"x"


def test_write_when_etag_is_old_then_nothing_is_lost(workspace: Workspace, root: Path) -> None:
    first = workspace.write("a.txt", b"1")
    second = workspace.write("a.txt", b"2", if_etag=first.etag)

    with pytest.raises(FileChanged):
        workspace.write("a.txt", b"3", if_etag=first.etag)
    with pytest.raises(FileChanged):
        workspace.write("a.txt", b"3", if_etag=ABSENT)
    assert (root / "a.txt").read_bytes() == b"2"
    assert workspace.stat("a.txt").etag == second.etag
    (root / "a.txt").write_bytes(b"9")
    assert workspace.stat("a.txt").etag != second.etag


def test_write_when_many_write_with_one_etag_then_one_wins(workspace: Workspace) -> None:
    first = workspace.write("a.txt", b"0")
    start, won = threading.Barrier(8), list[int]()

    def attempt(number: int) -> None:
        start.wait()
        try:
            workspace.write("a.txt", str(number).encode(), if_etag=first.etag)
        except FileChanged:
            return
        won.append(number)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    assert workspace.read("a.txt") == str(won[0]).encode()


def test_write_when_it_fails_midway_then_old_content_stays_and_no_trace_is_left(
    workspace: Workspace, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a.txt").write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device", descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkspaceFull):
        workspace.write("a.txt", b"new")

    assert (root / "a.txt").read_bytes() == b"old"
    assert [p.name for p in root.iterdir()] == ["a.txt"]


def test_write_when_last_part_is_a_link_inside_then_its_target_is_written(
    workspace: Workspace, root: Path
) -> None:
    (root / "docs").mkdir()
    (root / "docs/AGENTS.md").write_bytes(b"old")
    (root / "CLAUDE.md").symlink_to("docs/AGENTS.md")
    (root / "docs/up").symlink_to("../fresh.txt")

    written = workspace.write("CLAUDE.md", b"new")
    workspace.write("docs/up", b"made")

    assert written.path == "docs/AGENTS.md"
    assert (root / "docs/AGENTS.md").read_bytes() == b"new"
    assert (root / "CLAUDE.md").is_symlink()
    assert (root / "fresh.txt").read_bytes() == b"made"


@pytest.mark.parametrize(
    "path",
    [
        ".git",
        ".git/hooks/pre-commit",
        ".git/config",
        ".GIT/config",
        ".g\u200cit/config",
        "\uff0egit/config",
        "sub/.git/hooks/post-checkout",
        "sub/../.git/config",
        ".mcp.json",
        ".claude/settings.json",
        ".claude/new/deep.json",
        ".bashrc",
        ".vscode/tasks.json",
        "alias/hooks/pre-commit",
        "alias/made/pre-commit",
        "rc",
        "dangling",
    ],
)
@pytest.mark.requirement("41")
def test_write_when_path_is_protected_then_it_is_refused_also_when_absent(
    workspace: Workspace, root: Path, path: str
) -> None:
    (root / ".git/hooks").mkdir(parents=True)
    (root / "sub").mkdir()
    (root / "alias").symlink_to(".git")
    (root / "rc").symlink_to(".zshrc")
    (root / "dangling").symlink_to(".claude/x.json")
    before = sorted(p.relative_to(root).as_posix() for p in root.rglob("*"))

    with pytest.raises((ProtectedPath, NotAFile)):
        workspace.write(path, b"x", create_dirs=True)

    assert sorted(p.relative_to(root).as_posix() for p in root.rglob("*")) == before


def test_delete_when_it_is_a_link_then_the_target_stays(workspace: Workspace, root: Path) -> None:
    (root / "a.txt").write_bytes(b"x")
    (root / "link").symlink_to("a.txt")

    workspace.delete("link")

    assert not (root / "link").is_symlink()
    assert (root / "a.txt").exists()


def test_delete_when_folder_holds_something_then_only_recursive_removes_it(
    workspace: Workspace, root: Path, outside: Path
) -> None:
    (root / "full/deep").mkdir(parents=True)
    (root / "full/out").symlink_to(outside)

    with pytest.raises(FolderNotEmpty):
        workspace.delete("full")
    workspace.delete("full", recursive=True)

    assert not (root / "full").exists()
    assert (outside / "secret.txt").exists()


@pytest.mark.parametrize(
    "path", ["", ".", "sub/..", ".git", ".git/hooks", "alias/hooks", ".claude"]
)
def test_delete_when_path_is_root_or_protected_then_it_is_refused(
    workspace: Workspace, root: Path, path: str
) -> None:
    (root / ".git/hooks").mkdir(parents=True)
    (root / ".claude").mkdir()
    (root / "sub").mkdir()
    (root / "alias").symlink_to(".git")

    with pytest.raises((ProtectedPath, OutsideWorkspace)):
        workspace.delete(path, recursive=True)

    assert (root / ".git/hooks").is_dir()
    assert (root / ".claude").is_dir()


def test_list_when_paged_then_entries_are_sorted_and_links_are_links(
    workspace: Workspace, root: Path, outside: Path
) -> None:
    (root / "b.txt").write_bytes(b"xy")
    (root / "a").mkdir()
    (root / "c").symlink_to(outside)
    Path(os.fsdecode(os.fsencode(root) + b"/bad-\xff")).write_bytes(b"")

    page = workspace.list("", offset=1, limit=2)

    assert page.total == 3
    assert [(e.path, e.kind) for e in page.entries] == [("b.txt", "file"), ("c", "link")]
    assert page.entries[0].size == 2
    with pytest.raises(NotAFolder):
        workspace.list("b.txt")
    with pytest.raises(OutsideWorkspace):
        workspace.list("c")


def test_make_folder_when_called_twice_then_it_is_there(workspace: Workspace, root: Path) -> None:
    (root / "file").write_bytes(b"")

    workspace.make_folder("a/b/c")
    workspace.make_folder("a/b/c")

    assert (root / "a/b/c").is_dir()
    with pytest.raises(NotAFolder):
        workspace.make_folder("file/x")
    with pytest.raises(NotAFolder):
        workspace.make_folder("file")


def test_any_call_when_workspace_is_gone_or_replaced_by_a_link_then_it_says_so(
    workspace: Workspace, root: Path, outside: Path
) -> None:
    root.rename(root.with_name("moved"))
    with pytest.raises(WorkspaceMissing):
        workspace.read("a.txt")
    root.symlink_to(outside)
    with pytest.raises(WorkspaceMissing):
        workspace.read("secret.txt")
    with pytest.raises(WorkspaceMissing):
        workspace.write("x", b"")


def test_paths_when_spelled_loosely_then_they_mean_the_same_file(
    workspace: Workspace, root: Path
) -> None:
    (root / "a").mkdir()
    (root / "a/ö {x}'$(id).txt").write_bytes(b"x")

    for path in ("a/ö {x}'$(id).txt", "./a//ö {x}'$(id).txt", "a/../a/./ö {x}'$(id).txt"):
        assert workspace.read(path) == b"x"
    assert workspace.stat("./a/").path == "a"
    assert workspace.exists("a")
    assert not workspace.exists("a/missing")
    assert not workspace.exists("a/ö {x}'$(id).txt/below")


def test_unknown_os_error_when_translated_then_it_is_not_swallowed() -> None:
    with pytest.raises(OSError, match="broken"), told("x"):
        raise OSError(5, "broken")
    with pytest.raises(NotPermitted), told("x"):
        raise PermissionError(13, "denied")
    with pytest.raises(BadPath), told("x"):
        raise OSError(36, "long")
