"""Which directories may become a project. No database: only the disk has a say."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from homeport.identity.access import Caller
from homeport.identity.roles import permissions_of
from homeport.projects.errors import PathMissing, PathRefused
from homeport.projects.places import PERSONAL, Places

ADA = Caller("u1", "ada", frozenset({"user"}), permissions_of(("user",)))
ROOT = Caller("u2", "root", frozenset({"admin"}), permissions_of(("admin",)))


@pytest.mark.requirement("41")
@pytest.mark.parametrize(
    "path",
    [
        "{disk}/elsewhere",
        "{disk}/missing",
        "{disk}",
        "/",
        "/etc",
        "/proc/self/cwd",
        "relative",
        "~",
        ".",
        "{disk}/code/../elsewhere",
        "{disk}/code/out",
        "{disk}/code/out/deeper",
        "{disk}/codex",
        "{disk}/code/loop",
        "{disk}/data",
        "{disk}/data/workspaces",
        "{disk}/data/workspaces/u2/personal",
    ],
)
def test_admit_when_path_is_not_under_a_root_then_it_is_refused(
    places: Places, disk: Path, path: str
) -> None:
    (disk / "codex").mkdir()
    (disk / "code/out").symlink_to("../elsewhere")
    (disk / "code/loop").symlink_to("loop")
    (disk / "data/workspaces/u2/personal").mkdir(parents=True)

    with pytest.raises((PathRefused, PathMissing)):
        places.admit(path.format(disk=disk), ADA)


def test_admit_when_path_does_not_exist_then_outside_is_told_like_any_other(
    places: Places, disk: Path
) -> None:
    with pytest.raises(PathRefused) as there:
        places.admit(str(disk / "elsewhere"), ADA)
    with pytest.raises(PathRefused) as absent:
        places.admit(str(disk / "nowhere"), ADA)

    assert there.value.detail == absent.value.detail


@pytest.mark.parametrize("path", ["data", "data/workspaces", "data/workspaces/u1", "", "data/keys"])
def test_admit_when_it_overlaps_the_servers_own_then_not_even_an_administrator_may(
    places: Places, disk: Path, path: str
) -> None:
    (disk / "data/keys").mkdir()
    wide = replace(places, roots=(disk,))

    for caller in (ADA, ROOT):
        with pytest.raises(PathRefused):
            wide.admit(str(disk / path), caller)
    assert wide.admit(str(disk / "elsewhere"), ADA) == disk / "elsewhere"


@pytest.mark.requirement("41")
def test_admit_when_it_holds_a_file_of_the_servers_then_nobody_may(
    places: Places, disk: Path
) -> None:
    ours = disk / "code" / "ship" / ".env"  # which is not there yet
    (disk / "code" / "ship").mkdir()
    (disk / "code" / "boat").mkdir()
    guarded = replace(places, closed=(*places.closed, ours))
    for path in (ours.parent, ours.parent.parent):
        with pytest.raises(PathRefused):
            guarded.admit(str(path), ROOT)
    assert guarded.admit(str(disk / "code" / "boat"), ADA) == disk / "code" / "boat"


def test_admit_when_it_is_the_home_directory_then_it_is_refused(
    places: Places, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(disk / "code"))

    with pytest.raises(PathRefused):
        places.admit(str(disk / "code"), ROOT)
    assert places.admit(str(disk / "code/app"), ADA) == disk / "code/app"


def test_admit_when_administrator_in_development_then_own_directories_are_open(
    places: Places, disk: Path
) -> None:
    assert places.admit(str(disk / "elsewhere"), ROOT) == disk / "elsewhere"
    with pytest.raises(PathRefused):
        replace(places, development=False).admit(str(disk / "elsewhere"), ROOT)
    if os.geteuid() == 0:
        os.chown(disk / "elsewhere", 12345, 12345)
        with pytest.raises(PathRefused):
            places.admit(str(disk / "elsewhere"), ROOT)


@pytest.mark.parametrize(
    "inside", [".git", ".git/hooks", ".git/worktrees/w", "bare.git", "bare.git/hooks"]
)
def test_admit_when_it_is_the_inside_of_a_repository_then_nobody_may(
    places: Places, disk: Path, inside: str
) -> None:
    (disk / "code/.git/worktrees/w").mkdir(parents=True)
    (disk / "code/.git/hooks").mkdir()
    for name in ("objects", "refs", "hooks"):
        (disk / "code/bare.git" / name).mkdir(parents=True)
    (disk / "code/bare.git/HEAD").write_text("ref: refs/heads/main\n")

    for caller in (ADA, ROOT):
        with pytest.raises(PathRefused):
            places.admit(str(disk / "code" / inside), caller)
    assert places.admit(str(disk / "code/app"), ADA) == disk / "code/app"


@pytest.mark.parametrize("path", ["/proc/self", "/proc/1", "/sys/kernel", "/dev/shm"])
def test_admit_when_it_holds_no_files_of_anybody_then_it_is_refused(
    places: Places, path: str
) -> None:
    with pytest.raises((PathRefused, PathMissing)):
        places.admit(path, ROOT)


def test_admit_when_the_name_is_longer_than_any_then_it_is_missing(
    places: Places, disk: Path
) -> None:
    with pytest.raises(PathMissing):
        places.admit(str(disk / "code" / ("a" * 256)), ADA)


def test_admit_when_it_is_a_file_then_it_is_missing(places: Places, disk: Path) -> None:
    (disk / "code/file").write_text("", encoding="utf-8")

    with pytest.raises(PathMissing):
        places.admit(str(disk / "code/file"), ADA)


def test_make_when_called_twice_then_what_is_there_is_kept(places: Places) -> None:
    first = places.make("u1", PERSONAL)
    (first / "a").write_text("x", encoding="utf-8")
    places.discard(first)

    assert places.make("u1", PERSONAL) == first
    assert (first / "a").exists()
    (first / "a").unlink()
    places.discard(first)
    assert not first.exists()
