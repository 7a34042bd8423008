from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from homeport.files.content import as_text, looks_binary
from homeport.files.errors import (
    BadPattern,
    FileNotFound,
    NotAFolder,
    OutsideWorkspace,
    PatternTooSlow,
    SearchEnded,
)
from homeport.files.matching import Hit, Matcher
from homeport.files.search import SEARCHED_BYTES, Query, glob, search
from homeport.files.workspace import Workspace


@pytest.fixture
def tree(root: Path, outside: Path) -> Path:
    (root / "src/deep").mkdir(parents=True)
    (root / "src/app.py").write_bytes(b"import os\r\n\r\ndef main():\r\n    return os\r\n")
    (root / "src/deep/util.py").write_bytes("grüße = 'Größe'\n".encode() * 3)
    (root / "notes.txt").write_bytes(b"main idea\n\xff\xfe bytes\nlast main without newline")
    (root / "picture.png").write_bytes(b"\x89PNG\0main")
    (root / "build").mkdir()
    (root / "build/out.py").write_bytes(b"main\n")
    (root / ".gitignore").write_bytes(b"build/\n")
    (root / ".git").mkdir()
    (root / ".git/config").write_bytes(b"main\n")
    (root / "alias.py").symlink_to("src/app.py")
    (root / "leak.txt").symlink_to(outside / "secret.txt")
    (root / "folder-alias").symlink_to("src")
    os.mkfifo(root / "pipe.py")
    return root


def test_walk_when_called_then_it_is_sorted_and_leaves_out_what_is_ignored(
    workspace: Workspace, tree: Path
) -> None:
    assert list(workspace.walk()) == [
        ".gitignore",
        "alias.py",
        "notes.txt",
        "picture.png",
        "src/app.py",
        "src/deep/util.py",
    ]
    assert "build/out.py" in set(workspace.walk(include_ignored=True))
    assert ".git/config" not in set(workspace.walk(include_ignored=True))
    assert list(workspace.walk("src/deep")) == ["src/deep/util.py"]
    assert list(workspace.walk("build")) == ["build/out.py"]
    with pytest.raises(NotAFolder):
        list(workspace.walk("notes.txt"))


def test_walk_when_rules_stand_above_the_start_then_they_count(
    workspace: Workspace, tree: Path
) -> None:
    (tree / ".gitignore").write_bytes(b"/src/deep/*.py\n")

    assert list(workspace.walk("src")) == ["src/app.py"]


def test_glob_when_path_is_given_then_the_pattern_is_relative_to_it(
    workspace: Workspace, tree: Path
) -> None:
    assert list(glob(workspace, "*.py")) == ["alias.py", "src/app.py", "src/deep/util.py"]
    assert list(glob(workspace, "src/*.py")) == ["src/app.py"]
    assert list(glob(workspace, "deep/*.py", path="src")) == ["src/deep/util.py"]
    assert list(glob(workspace, "*.rs")) == []
    with pytest.raises(OutsideWorkspace):
        list(glob(workspace, "*", path="../outside"))
    with pytest.raises(FileNotFound):
        list(glob(workspace, "*", path="missing"))


def test_search_when_lines_fit_then_they_come_with_number_and_surroundings(
    workspace: Workspace, tree: Path
) -> None:
    found = list(search(workspace, Query(r"\bmain\b", before=1, after=1)))

    assert [(f.path, f.line, f.text) for f in found] == [
        ("alias.py", 3, "def main():"),
        ("notes.txt", 1, "main idea"),
        ("notes.txt", 3, "last main without newline"),
        ("src/app.py", 3, "def main():"),
    ]
    assert found[0].before == ("",)
    assert found[0].after == ("    return os",)
    assert found[2].before == ("\ufffd\ufffd bytes",)
    assert found[2].after == ()


def test_search_when_narrowed_then_only_those_files_are_looked_at(
    workspace: Workspace, tree: Path
) -> None:
    def paths(query: Query) -> list[str]:
        return [found.path for found in search(workspace, query)]

    assert paths(Query("GRÜSSE|GRÜßE", ignore_case=True, per_file=2)) == ["src/deep/util.py"] * 2
    assert paths(Query("main", glob="*.txt")) == ["notes.txt"] * 2
    assert paths(Query("main", path="src")) == ["src/app.py"]
    assert paths(Query("main", path="notes.txt")) == ["notes.txt"] * 2
    assert paths(Query("os$", path="src")) == ["src/app.py"] * 2
    assert paths(Query("canary")) == []


def test_search_when_a_file_is_very_long_then_it_is_passed_over(
    workspace: Workspace, root: Path
) -> None:
    (root / "long").write_bytes(b"x\n" * (SEARCHED_BYTES // 2) + b"main\n")
    (root / "wide").write_bytes(b"x" * 100_000 + b"main\n")

    [found] = search(workspace, Query("main"))

    assert found.path == "wide"
    assert len(found.text) == 2_000


@pytest.mark.parametrize("pattern", ["", "(", "[", "*", "(?P<a>x)(?P<a>y)", "x" * 5_000])
def test_search_when_the_pattern_is_malformed_then_it_is_refused(
    workspace: Workspace, tree: Path, pattern: str
) -> None:
    with pytest.raises(BadPattern):
        list(search(workspace, Query(pattern)))


def test_search_when_the_pattern_explodes_then_its_process_is_ended(
    workspace: Workspace, root: Path
) -> None:
    (root / "a.txt").write_bytes(b"match (aaa)\n" + b"a" * 5_000 + b"!\n")
    started = time.monotonic()

    with pytest.raises(PatternTooSlow):
        list(search(workspace, Query(r"(a+)+$", seconds=0.5)))

    assert time.monotonic() - started < 30


def test_match_when_the_pattern_eats_memory_then_its_process_is_ended() -> None:
    # Each of the line's characters costs the engine some 76 bytes to come back to.
    def found(line: bytes) -> list[tuple[int, Hit]]:
        with Matcher(
            "(a|b)*$",
            ignore_case=False,
            before=0,
            after=0,
            per_file=1,
            seconds=60,
            memory_bytes=160 << 20,
        ) as matcher:
            return list(matcher.hits([line]))

    assert len(found(b"a" * 200_000)) == 1
    with pytest.raises(PatternTooSlow, match="more than 160 MiB"):
        found(b"a" * 4_000_000)


SEARCHER = """
import sys
from homeport.files.matching import Matcher
with Matcher("(a+)+$", ignore_case=False, before=0, after=0, per_file=1, seconds=3) as matcher:
    list(matcher.hits([b"a" * 5_000 + b"!"]))
"""


def test_match_when_the_server_is_killed_then_its_process_does_not_go_on_for_ever() -> None:
    with subprocess.Popen([sys.executable, "-c", SEARCHER]) as server:
        deadline = time.monotonic() + 60
        while not (children := psutil.Process(server.pid).children()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        while not children[0].cpu_times().user > 0.1:  # it is at the pattern
            assert time.monotonic() < deadline
            time.sleep(0.01)
        server.kill()
    assert psutil.wait_procs(children, timeout=60)[1] == []


def test_search_when_hits_are_many_and_wide_then_this_process_does_not_grow(
    workspace: Workspace, root: Path
) -> None:
    (root / "a").write_bytes((b"x" * 700 + b"\n") * 2_100)
    this, most = psutil.Process(), 0
    before = this.memory_info().rss

    query = Query("x", before=20, after=20, per_file=2_000)
    for number, hit in enumerate(search(workspace, query), 1):
        assert len(hit.text) == 700
        most = max(most, this.memory_info().rss) if number % 100 == 0 else most

    assert most - before < 32 << 20


def test_search_when_nobody_waits_then_it_ends_also_where_there_is_no_file(
    workspace: Workspace, root: Path
) -> None:
    (root / "a/b/c").mkdir(parents=True)

    assert list(search(workspace, Query("x"))) == []
    with pytest.raises(SearchEnded):
        list(search(workspace, Query("x"), stopped=lambda: True))


def test_search_when_it_is_left_early_then_no_process_stays(
    workspace: Workspace, tree: Path
) -> None:
    searching = search(workspace, Query("main"))
    next(searching)
    searching.close()  # pyright: ignore[reportAttributeAccessIssue] - a generator in fact

    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if children.exists():
        mine = children.read_text(encoding="utf-8").split()
        lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in mine]
        assert not [line for line in lines if b"match_worker" in line]


def test_content_when_looked_at_then_a_nul_near_the_start_makes_it_binary() -> None:
    assert looks_binary(b"a\0b")
    assert not looks_binary(b"a" * 9_000 + b"\0")
    assert not looks_binary("ü".encode("latin-1"))
    assert as_text(b"a\xffb") == "a\ufffdb"
