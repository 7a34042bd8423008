from __future__ import annotations

import stat
from pathlib import Path

import pytest

from support.toolbox import Toolbox


async def test_write_when_the_file_is_new_then_it_is_made_with_its_folders(tools: Toolbox) -> None:
    made = await tools.use("Write", file_path="src/deep/a.py", content="eins\nzwei\n")

    assert (tools.root / "src/deep/a.py").read_bytes() == b"eins\nzwei\n"
    assert made.content == "Made src/deep/a.py (2 lines)."
    assert made.details["created"] is True
    assert made.details["diff"] == "@@ -0,0 +1,2 @@\n+eins\n+zwei\n"


async def test_write_when_the_file_exists_then_it_is_replaced_and_its_mode_kept(
    tools: Toolbox,
) -> None:
    tools.put("run.sh", "a\nb\nc\n").chmod(0o755)

    written = await tools.use("Write", file_path="run.sh", content="a\nB\nc\n")

    assert (tools.root / "run.sh").read_bytes() == b"a\nB\nc\n"
    assert stat.S_IMODE((tools.root / "run.sh").stat().st_mode) == 0o755
    assert written.content == "Replaced run.sh (+1 -1 lines)."
    assert written.details["created"] is False
    assert written.details["diff"] == "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"


async def test_write_when_the_content_is_the_same_then_it_says_so(tools: Toolbox) -> None:
    tools.put("a", "x\r\n")
    written = await tools.use("Write", file_path="a", content="x\r\n")
    assert written.content == "a already had exactly this content."


@pytest.mark.parametrize(
    "content", ["", "no newline", "a\r\nb", "\ufeffbom", "日本 👩‍👩‍👧\n", "\x00"]
)
async def test_write_when_content_is_unusual_then_it_is_written_exactly(
    tools: Toolbox, content: str
) -> None:
    written = await tools.use("Write", file_path="ü [1] 船.txt", content=content)
    assert not written.is_error
    assert (tools.root / "ü [1] 船.txt").read_bytes() == content.encode()


async def test_write_when_it_has_5_mib_then_the_diff_is_bounded(tools: Toolbox) -> None:
    tools.put("big", "old\n" * 400_000)
    content = "new line of text\n" * 310_000

    written = await tools.use("Write", file_path="big", content=content)

    assert (tools.root / "big").stat().st_size == len(content)
    assert written.content == f"Replaced big, now {len(content)} bytes."
    assert "diff" not in written.details

    made = await tools.use("Write", file_path="big2", content=content)
    assert len(made.details["diff"]) <= 16 << 10
    assert made.details["diff_truncated"] is True
    assert made.details["lines_added"] == 310_000


async def test_write_when_a_binary_file_was_there_then_no_diff_is_made(tools: Toolbox) -> None:
    tools.put("a", b"\x00\x01\x02")
    written = await tools.use("Write", file_path="a", content="text")
    assert written.content == "Replaced a, now 4 bytes."


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/pre-commit",
        ".git/config",
        ".GIT/config",
        ".mcp.json",
        "sub/.claude/settings.json",
        ".bashrc",
        ".vscode/tasks.json",
    ],
)
async def test_write_when_the_name_is_protected_then_nothing_is_made(
    tools: Toolbox, path: str
) -> None:
    written = await tools.use("Write", file_path=path, content="x")
    assert written.is_error
    assert written.details["code"] == "files.protected"
    assert not (tools.root / path).exists()


@pytest.mark.parametrize(
    "path", ["../outside/new", "/tmp/homeport-canary", "link", "dangling", "folder/new"]
)
async def test_write_when_the_path_leads_out_then_nothing_is_written(
    tools: Toolbox, outside: Path, path: str
) -> None:
    (tools.root / "link").symlink_to(outside / "secret.txt")
    (tools.root / "dangling").symlink_to(outside / "new")
    (tools.root / "folder").symlink_to(outside)

    written = await tools.use("Write", file_path=path, content="escaped")

    assert written.details["code"] == "files.outside-workspace"
    assert [each.name for each in outside.iterdir()] == ["secret.txt"]
    assert (outside / "secret.txt").read_text(encoding="utf-8") == "canary"
    assert not Path("/tmp/homeport-canary").exists()


async def test_write_when_a_folder_is_there_or_a_file_is_in_the_way_then_it_is_refused(
    tools: Toolbox,
) -> None:
    (tools.root / "folder").mkdir()
    tools.put("file", "x")
    assert (await tools.use("Write", file_path="folder", content="x")).is_error
    below = await tools.use("Write", file_path="file/below", content="x")
    assert below.details["code"] == "files.not-a-folder"


async def test_write_when_the_disk_is_full_then_the_old_content_stays(full_disk: Toolbox) -> None:
    full_disk.put("a.txt", "old")

    written = await full_disk.use("Write", file_path="a.txt", content="x" * (1 << 20))

    assert written.is_error
    assert written.details["code"] == "files.no-space"
    assert "The disk is full and nothing was changed" in written.content
    assert [each.name for each in full_disk.root.iterdir()] == ["a.txt"]
    assert (full_disk.root / "a.txt").read_bytes() == b"old"
    assert not (await full_disk.use("Write", file_path="a.txt", content="small")).is_error


async def test_write_when_the_text_is_no_unicode_then_nothing_is_made(tools: Toolbox) -> None:
    written = await tools.use("Write", file_path="a", content="x\ud800")
    assert written.is_error
    assert "not valid Unicode" in written.content
    assert not (tools.root / "a").exists()
