from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from homeport.files.workspace import Workspace
from support.toolbox import Toolbox


async def test_read_when_the_file_is_short_then_every_line_has_its_number(tools: Toolbox) -> None:
    tools.put("src/a.py", "eins\n\n  zwei\tdrei\n")

    seen = await tools.use("Read", file_path="src/a.py")

    assert not seen.is_error
    assert seen.content == "     1\teins\n     2\t\n     3\t  zwei\tdrei"
    assert seen.details.pop("etag") == Workspace(tools.root).stat("src/a.py").etag
    assert seen.details == {
        "path": "src/a.py",
        "size": 18,
        "truncated": False,
        "total_lines": 3,
        "start_line": 1,
        "end_line": 3,
    }


async def test_read_when_there_is_more_then_the_next_offset_continues_without_a_gap(
    tools: Toolbox,
) -> None:
    lines = [f"line {number}" for number in range(1, 5_006)]
    tools.put("long.txt", "\n".join(lines))

    seen: list[str] = []
    offset: int | None = 1
    rounds = 0
    while offset is not None:
        part = await tools.use("Read", file_path="long.txt", offset=offset)
        body = [line for line in part.content.split("\n") if not line.startswith("[")]
        seen += [line.partition("\t")[2] for line in body]
        offset = part.details.get("next_offset")
        assert (f"offset={offset}" in part.content) == (offset is not None)
        rounds += 1

    assert seen == lines
    assert rounds == 3


async def test_read_when_lines_are_wide_then_the_window_is_bounded_by_characters(
    tools: Toolbox,
) -> None:
    tools.put("wide.txt", ("x" * 1_500 + "\n") * 500)

    seen = await tools.use("Read", file_path="wide.txt")

    assert len(seen.content) < 70_000
    assert seen.details["next_offset"] == 41
    assert "[Lines 1 to 40 of 500; read on with offset=41.]" in seen.content


async def test_read_when_limit_is_given_then_that_many_lines_come(tools: Toolbox) -> None:
    tools.put("a.txt", "1\n2\n3\n4\n")

    seen = await tools.use("Read", file_path="a.txt", offset=2, limit=2)

    assert seen.content == "     2\t2\n     3\t3\n[Lines 2 to 3 of 4; read on with offset=4.]"


async def test_read_when_one_line_has_5_mib_then_its_beginning_is_shown_and_its_size_told(
    tools: Toolbox,
) -> None:
    tools.put("min.js", "é" * (5 << 19) + "\nend")

    seen = await tools.use("Read", file_path="min.js")

    assert len(seen.content) < 3_000
    assert "[... line cut here: it has 5242881 bytes]" in seen.content
    assert "\ufffd" not in seen.content
    assert seen.content.endswith("     2\tend")


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\xef\xbb\xbfa\nb", ["a", "b"]),
        ("日本 👩‍👩‍👧 ü".encode(), ["日本 👩‍👩‍👧 ü"]),
        (b"caf\xe9\n", ["caf\ufffd"]),
        (b"\n", [""]),
        (b"a\x0bb\x0cc\xc2\x85d\xe2\x80\xa8e", ["a\x0bb\x0cc\x85d\u2028e"]),
    ],
)
async def test_read_when_text_is_unusual_then_lines_are_as_they_are(
    tools: Toolbox, data: bytes, lines: list[str]
) -> None:
    tools.put("a.txt", data)

    seen = await tools.use("Read", file_path="a.txt")

    assert [line.partition("\t")[2] for line in seen.content.split("\n")] == lines


async def test_read_when_the_file_is_empty_then_it_says_so(tools: Toolbox) -> None:
    tools.put("empty", "")
    seen = await tools.use("Read", file_path="empty")
    assert (seen.content, seen.is_error) == ("[empty is empty.]", False)


async def test_read_when_offset_is_past_the_end_then_the_number_of_lines_is_told(
    tools: Toolbox,
) -> None:
    tools.put("a", "1\n2\n3")
    seen = await tools.use("Read", file_path="a", offset=4)
    assert (seen.content, seen.is_error) == ("a has 3 lines; there is no line 4.", True)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "an image (PNG)"),
        (b"\xff\xd8\xff\xe0", "an image (JPEG)"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "an image (WebP)"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\xff\xfea\x00", "UTF-16"),
        (b"text\x00more", "a binary file"),
    ],
)
async def test_read_when_it_is_no_text_then_it_is_refused_in_words(
    tools: Toolbox, head: bytes, kind: str
) -> None:
    tools.put("thing", head + b"\x01" * 100)

    seen = await tools.use("Read", file_path="thing")

    assert seen.is_error
    assert kind in seen.content
    assert seen.details["code"] == "tool.not-text"


async def test_read_when_a_nul_comes_late_then_the_content_is_still_storable(
    tools: Toolbox,
) -> None:
    tools.put("a", b"x" * 100 + b"\n" + b"y" * 9_000 + b"\n\x00\n")
    seen = await tools.use("Read", file_path="a")
    assert not seen.is_error
    assert "\x00" not in seen.content


async def test_read_when_the_file_is_huge_then_it_takes_little_and_counts_nothing(
    tools: Toolbox,
) -> None:
    with (tools.root / "huge.log").open("wb") as file:
        file.write(b"first\n" * 3_000)
        file.truncate(50 << 30)

    seen = await tools.use("Read", file_path="huge.log")

    assert seen.details["size"] == 50 << 30
    assert seen.details["next_offset"] == 2_001
    assert "total_lines" not in seen.details


async def test_read_when_the_line_lies_too_far_in_a_huge_file_then_it_gives_up(
    tools: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeport.tools.builtin.lines.SECONDS", 0.0)
    tools.put("huge.log", "x\n" * 30_000)

    seen = await tools.use("Read", file_path="huge.log", offset=25_000)

    assert seen.is_error
    assert "too far into this file" in seen.content


async def test_read_when_the_file_is_missing_then_similar_names_are_told(tools: Toolbox) -> None:
    tools.put("src/connection.py", "")
    tools.put("src/other.py", "")

    seen = await tools.use("Read", file_path="src/conection.py")

    assert seen.is_error
    assert seen.details["code"] == "files.not-found"
    assert "There is no src/conection.py. Similar: src/connection.py." in seen.content


async def test_read_when_it_is_a_folder_or_a_pipe_then_it_is_refused_at_once(
    tools: Toolbox,
) -> None:
    (tools.root / "folder").mkdir()
    os.mkfifo(tools.root / "pipe")
    for path in ("folder", "pipe"):
        seen = await tools.use("Read", file_path=path)
        assert seen.details["code"] == "files.not-a-file"


async def test_read_when_the_path_is_absolute_and_inside_then_it_is_told_relative(
    tools: Toolbox,
) -> None:
    tools.put("a/b.txt", "hello")
    seen = await tools.use("Read", file_path=str(tools.root / "a" / "b.txt"))
    assert seen.details["path"] == "a/b.txt"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../outside/secret.txt",
        "a/../../outside/secret.txt",
        "link",
        "folder/secret.txt",
        "{root}/../outside/secret.txt",
        "{root}-2/secret.txt",
        "/proc/self/root/etc/passwd",
    ],
)
async def test_read_when_the_path_leads_out_then_nothing_is_shown(
    tools: Toolbox, outside: Path, path: str
) -> None:
    (tools.root / "a").mkdir()
    (tools.root / "link").symlink_to(outside / "secret.txt")
    (tools.root / "folder").symlink_to(outside)

    seen = await tools.use("Read", file_path=path.format(root=tools.root))

    assert seen.is_error
    assert seen.details["code"] == "files.outside-workspace"
    assert "canary" not in seen.content
    assert "root:" not in seen.content


@pytest.mark.parametrize("path", ["a\x00b", "x" * 300, "d/" * 200 + "f"])
async def test_read_when_no_file_system_could_hold_the_path_then_it_says_so(
    tools: Toolbox, path: str
) -> None:
    seen = await tools.use("Read", file_path=path)
    assert seen.details["code"] == "files.bad-path"


async def test_read_when_the_workspace_was_deleted_then_the_model_is_told_to_stop(
    tools: Toolbox,
) -> None:
    shutil.rmtree(tools.root)
    for name, arguments in {
        "Read": {"file_path": "a"},
        "Write": {"file_path": "a", "content": "x"},
        "Edit": {"file_path": "a", "old_string": "x", "new_string": "y"},
        "Glob": {"pattern": "*"},
        "Grep": {"pattern": "x"},
    }.items():
        seen = await tools.use(name, arguments)
        assert seen.is_error
        assert "The project was deleted or moved; stop and tell the user." in seen.content
    assert not tools.root.exists()
