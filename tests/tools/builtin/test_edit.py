from __future__ import annotations

import asyncio
import stat
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.files.entries import FileStat
from homeport.files.workspace import Workspace
from homeport.tools.builtin.difference import difference
from homeport.tools.builtin.replacement import find, replace
from support.toolbox import Toolbox


async def test_edit_when_the_passage_is_unique_then_only_it_changes(tools: Toolbox) -> None:
    tools.put("a.py", "def f():\n    return 1\n\n\ndef g():\n    return 2\n").chmod(0o640)

    edited = await tools.use(
        "Edit", file_path="a.py", old_string="    return 2", new_string="    return 3\n    # ü"
    )

    file = tools.root / "a.py"
    assert file.read_text("utf-8") == (
        "def f():\n    return 1\n\n\ndef g():\n    return 3\n    # ü\n"
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert edited.content.startswith("Edited a.py (+2 -1 lines). It reads now:\n")
    assert "     6\t    return 3\n     7\t    # ü" in edited.content
    assert edited.details.pop("etag") == Workspace(tools.root).stat("a.py").etag
    assert edited.details == {
        "path": "a.py",
        "replacements": 1,
        "lines_added": 2,
        "lines_removed": 1,
        "diff": "@@ -3,4 +3,5 @@\n \n \n def g():\n-    return 2\n+    return 3\n+    # ü\n",
        "diff_truncated": False,
    }


async def test_edit_when_the_passage_begins_with_what_stays_then_the_change_itself_is_shown(
    tools: Toolbox,
) -> None:
    tools.put("a", "".join(f"{number}\r\n" for number in range(1, 21)))
    edited = await tools.use(
        "Edit", file_path="a", old_string="7\n8\n9\n10\n", new_string="7\n8\n9\nten\nmore\n"
    )
    shown = edited.content.partition("It reads now:\n")[2].split("\n")
    assert [line.split() for line in shown] == [
        [str(number), text]
        for number, text in enumerate([*"6789", "ten", "more", "11", "12", "13", "14"], start=6)
    ]


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\r\nb\r\nc\r\n", "a\nb", "x\ny\nz", b"x\r\ny\r\nz\r\nc\r\n"),
        (b"a\r\nb\r\nc\r\n", "b", "x\ny", b"a\r\nx\r\ny\r\nc\r\n"),
        (b"a\r\nb\nc\r\nd\n", "b\nc", "x\ny", b"a\r\nx\ny\r\nd\n"),
        (b"a\r\nb\r\nc\n", "a\r\nb", "x", b"x\r\nc\n"),
        (b"\xef\xbb\xbfa\nb", "a", "x", b"\xef\xbb\xbfx\nb"),
        (b"last", "last", "first\nlast", b"first\nlast"),
        (b"a\n", "a\n", "", b""),
        (b"caf\xe9 a\n", "a\n", "b\n", b"caf\xe9 b\n"),
        ("日本 👩‍👩‍👧".encode(), "👩‍👩‍👧", "x", "日本 x".encode()),
        (b"tab\there", "tab\t", "tab  ", b"tab  here"),
        (b"a.*b (c)", ".*", r"\1", rb"a\1b (c)"),
    ],
)
async def test_edit_when_bytes_are_unusual_then_all_else_stays_as_it_is(
    tools: Toolbox, before: bytes, old: str, new: str, after: bytes
) -> None:
    tools.put("a", before)
    edited = await tools.use("Edit", file_path="a", old_string=old, new_string=new)
    assert not edited.is_error, edited.content
    assert (tools.root / "a").read_bytes() == after


async def test_edit_when_the_passage_is_not_unique_then_its_lines_are_told(tools: Toolbox) -> None:
    tools.put("a", "x = 1\ny = 2\nx = 1\n\nx = 1\n")

    edited = await tools.use("Edit", file_path="a", old_string="x = 1", new_string="x = 2")

    assert edited.is_error
    assert "more than once (lines 1, 3, 5)" in edited.content
    assert (tools.root / "a").read_bytes() == b"x = 1\ny = 2\nx = 1\n\nx = 1\n"


async def test_edit_when_occurrences_overlap_then_it_is_not_unique(tools: Toolbox) -> None:
    tools.put("a", "aaa")
    edited = await tools.use("Edit", file_path="a", old_string="aa", new_string="b")
    assert edited.details["code"] == "tool.edit-not-unique"


async def test_edit_when_replace_all_then_every_occurrence_changes(tools: Toolbox) -> None:
    tools.put("a", "old = old\r\nold\r\n")

    edited = await tools.use(
        "Edit", file_path="a", old_string="old", new_string="n\n", replace_all=True
    )

    assert (tools.root / "a").read_bytes() == b"n\r\n = n\r\n\r\nn\r\n\r\n"
    assert edited.details["replacements"] == 3
    assert edited.content.startswith("Edited a 3 times")


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("  def total(items):\n  return sum(items)", "x", "white space only; copy it exactly"),
        ("     3\tdef total(items):", "x", "line numbers that Read shows"),
        ("def totals(item):", "d", "The nearest place is:\n     3\tdef total(items):"),
        ("entirely different words", "d", "Nothing like it is there"),
        ("gone()", "def total(items):", "new_string stands in the file already, at line 3"),
    ],
)
async def test_edit_when_the_passage_is_not_there_then_the_reason_is_told(
    tools: Toolbox, old: str, new: str, hint: str
) -> None:
    tools.put("a", "import math\r\n\r\ndef total(items):\r\n    return sum(items)\r\n")

    edited = await tools.use("Edit", file_path="a", old_string=old, new_string=new)

    assert edited.is_error
    assert hint in edited.content
    assert edited.content.startswith("Nothing was changed: ")
    assert edited.details["code"] == "tool.edit-not-found"


@pytest.mark.parametrize(
    ("content", "arguments", "code"),
    [
        (b"a", {"old_string": "a", "new_string": "a"}, "tool.edit-same"),
        (b"a", {"old_string": "", "new_string": "a"}, "tool.invalid-input"),
        (b"", {"old_string": "x", "new_string": "a"}, "tool.edit-empty"),
        (b"a\x00b", {"old_string": "a", "new_string": "b"}, "tool.not-text"),
        (None, {"old_string": "a", "new_string": "b"}, "files.not-found"),
    ],
)
async def test_edit_when_it_cannot_be_done_then_the_code_tells_why(
    tools: Toolbox, content: bytes | None, arguments: dict[str, str], code: str
) -> None:
    if content is not None:
        tools.put("a", content)
    edited = await tools.use("Edit", {"file_path": "a", **arguments})
    assert edited.is_error
    assert edited.details["code"] == code


async def test_edit_when_the_file_is_too_large_then_it_is_refused(tools: Toolbox) -> None:
    tools.put("a", b"x\n" * (6 << 20))
    edited = await tools.use("Edit", file_path="a", old_string="y", new_string="z")
    assert edited.details["code"] == "files.too-large"


@pytest.mark.parametrize("vanishes", [True, False])
async def test_edit_when_the_file_changes_meanwhile_then_nothing_is_overwritten(
    tools: Toolbox, monkeypatch: pytest.MonkeyPatch, *, vanishes: bool
) -> None:
    file = tools.put("a", "old")
    read = Workspace.read

    def read_then_lose(
        self: Workspace, path: str, offset: int = 0, limit: int | None = None
    ) -> bytes:
        data = read(self, path, offset, limit)
        if vanishes:
            file.unlink()
        else:
            file.write_bytes(b"somebody else's")
        return data

    monkeypatch.setattr(Workspace, "read", read_then_lose)
    edited = await tools.use("Edit", file_path="a", old_string="old", new_string="new")

    assert edited.is_error
    assert edited.details["code"] == "files.changed"
    assert file.exists() != vanishes
    assert vanishes or file.read_bytes() == b"somebody else's"


async def test_edit_when_the_disk_is_full_then_the_file_is_as_it_was(full_disk: Toolbox) -> None:
    full_disk.put("a", "start\n" + "x" * 150_000)
    edited = await full_disk.use("Edit", file_path="a", old_string="start", new_string="y" * 50_000)
    assert edited.details["code"] == "files.no-space"
    assert (full_disk.root / "a").read_bytes().startswith(b"start\n")


async def test_edit_when_the_file_is_behind_a_link_then_the_link_stays(tools: Toolbox) -> None:
    tools.put("real", "a")
    (tools.root / "link").symlink_to("real")
    assert not (await tools.use("Edit", file_path="link", old_string="a", new_string="b")).is_error
    assert (tools.root / "link").is_symlink()
    assert (tools.root / "real").read_bytes() == b"b"


async def test_edit_when_it_is_cancelled_while_writing_then_its_end_is_awaited(
    tools: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tools.put("a", "old")
    put = Workspace.write
    writing = threading.Event()

    def slow(self: Workspace, path: str, data: bytes, **more: Any) -> FileStat:
        writing.set()
        time.sleep(0.3)
        return put(self, path, data, **more)

    monkeypatch.setattr(Workspace, "write", slow)
    call = asyncio.create_task(tools.use("Edit", file_path="a", old_string="old", new_string="new"))
    assert await asyncio.to_thread(writing.wait, 30)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert file.read_bytes() == b"new"


PIECES = st.lists(st.sampled_from(["a", "b", "\n", "\r\n", "é"]), max_size=30).map("".join)


@given(text=PIECES, wanted=PIECES.filter(bool))
def test_find_when_texts_are_random_then_it_finds_what_plain_newlines_would(
    text: str, wanted: str
) -> None:
    plain, looked_for = text.replace("\r\n", "\n"), wanted.replace("\r\n", "\n")

    found = find(text, wanted)

    assert len(found.spans) == plain.count(looked_for)
    assert [text[a:b].replace("\r\n", "\n") for a, b in found.spans] == [looked_for] * len(
        found.spans
    )
    assert found.lines == [1 + text.count("\n", 0, start) for start, _ in found.spans]
    assert replace(text, found.spans, "Q\n").replace("\r\n", "\n") == plain.replace(
        looked_for, "Q\n"
    )


@given(old=PIECES, new=PIECES)
def test_difference_when_texts_are_random_then_the_diff_tells_every_line(
    old: str, new: str
) -> None:
    told = difference(old, new)
    body = [line for line in told.diff.split("\n") if not line.startswith(("@@", "\\"))]
    assert sum(line.startswith("+") for line in body) == told.added
    assert sum(line.startswith("-") for line in body) == told.removed
    assert (told.diff == "") == (old == new)
    assert told.added - told.removed == len(_lines(new)) - len(_lines(old))


def test_difference_when_only_the_last_newline_differs_then_it_says_so() -> None:
    told = difference("a\nb", "a\nb\n")
    assert told.diff == "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"


def test_difference_when_changes_are_far_apart_then_there_are_two_hunks() -> None:
    old = "".join(f"{number}\n" for number in range(1, 31))
    told = difference(old, old.replace("\n5\n", "\nfive\n").replace("\n25\n", "\n"))
    assert [line for line in told.diff.split("\n") if line.startswith("@@")] == [
        "@@ -2,7 +2,7 @@",
        "@@ -22,7 +22,6 @@",
    ]
    assert told.counted == "+1 -2"


def _lines(text: str) -> list[str]:
    return text.split("\n")[: None if text and not text.endswith("\n") else -1]
