from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from support.toolbox import Toolbox


@pytest.fixture
def project(tools: Toolbox) -> Toolbox:
    tools.put("src/a.py", "import os\n\ndef main():\n    OS = 1\n    return os\n")
    tools.put("src/b.ts", "// os\r\nconst x = 1;\r\n")
    tools.put("docs/ü.md", "nothing\nHere is os too\n")
    tools.put("data.bin", b"os\x00os")
    tools.put(".git/config", "os")
    tools.put("node_modules/m.py", "os")
    tools.put(".gitignore", "node_modules\n")
    return tools


async def test_grep_when_asked_for_files_then_each_comes_once(project: Toolbox) -> None:
    found = await project.use("Grep", pattern=r"\bos\b")
    assert found.content.split("\n") == ["docs/ü.md", "src/a.py", "src/b.ts"]
    assert found.details["count"] == 3


async def test_grep_when_asked_for_content_then_lines_come_with_path_and_number(
    project: Toolbox,
) -> None:
    found = await project.use("Grep", pattern="os", output_mode="content")
    assert found.content.split("\n") == [
        "docs/ü.md:2:Here is os too",
        "src/a.py:1:import os",
        "src/a.py:5:    return os",
        "src/b.ts:1:// os",
    ]


async def test_grep_when_asked_for_counts_then_lines_are_counted_per_file(
    project: Toolbox,
) -> None:
    found = await project.use("Grep", {"-i": True}, pattern="os", output_mode="count")
    assert found.content.split("\n") == ["docs/ü.md:1", "src/a.py:3", "src/b.ts:1"]


async def test_grep_when_context_is_given_then_shared_neighbours_come_once(
    tools: Toolbox,
) -> None:
    tools.put("a", "1\nhit\n3\nhit\n5\n6\n7\n8\nhit\n")
    tools.put("b", "hit\n")
    found = await tools.use("Grep", pattern="hit", output_mode="content", context=1)
    assert found.content.split("\n") == [
        *["a-1-1", "a:2:hit", "a-3-3", "a:4:hit", "a-5-5", "--", "a-8-8", "a:9:hit"],
        "b:1:hit",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"path": "src"}, ["src/a.py", "src/b.ts"]),
        ({"path": "src/b.ts"}, ["src/b.ts"]),
        ({"glob": "*.py"}, ["src/a.py"]),
        ({"glob": "*.{ts,md}"}, ["docs/ü.md", "src/b.ts"]),
        ({"path": "node_modules/m.py"}, ["node_modules/m.py"]),
    ],
)
async def test_grep_when_narrowed_then_only_those_files_are_searched(
    project: Toolbox, arguments: dict[str, str], expected: list[str]
) -> None:
    found = await project.use("Grep", {"pattern": "os", **arguments})
    assert found.content.split("\n") == expected


@pytest.mark.parametrize("mode", ["content", "files_with_matches", "count"])
async def test_grep_when_there_is_more_then_the_offset_continues_without_a_gap(
    tools: Toolbox, mode: str
) -> None:
    for number in range(7):
        tools.put(f"{number}.txt", "hit 1\nhit 2\n")
    whole = await tools.use("Grep", pattern="hit", output_mode=mode)

    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = await tools.use("Grep", pattern="hit", output_mode=mode, head_limit=3, offset=offset)
        seen += [line for line in page.content.split("\n") if not line.startswith("[")]
        offset = page.details.get("next_offset")

    assert seen == whole.content.split("\n")


async def test_grep_when_lines_are_huge_then_the_answer_is_bounded(tools: Toolbox) -> None:
    tools.put("min.js", ("x" * (1 << 20) + "\n") * 5)
    found = await tools.use("Grep", pattern="x{10}", output_mode="content")
    assert len(found.content) < 3_000
    assert "[... line cut here]" in found.content


async def test_grep_when_output_would_be_huge_then_it_is_cut_with_an_offset(
    tools: Toolbox,
) -> None:
    tools.put("a", ("y" * 400 + "\n") * 5_000)
    found = await tools.use("Grep", pattern="y", output_mode="content", head_limit=2_000)
    assert len(found.content) < 80_000
    assert 100 < found.details["next_offset"] < 2_000


async def test_grep_when_the_pattern_is_catastrophic_then_it_is_stopped_and_the_loop_lives(
    tools: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeport.tools.builtin.grep.SECONDS", 1.0)
    tools.put("a", "a" * 5_000 + "!")
    threads = threading.active_count()

    found = await tools.use("Grep", pattern=r"(a+)+$")

    assert found.is_error
    assert found.details["code"] == "files.pattern-too-slow"
    assert "use a simpler pattern" in found.content
    deadline = time.monotonic() + 20
    while threading.active_count() > threads + 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= threads + 4  # the pool's idle threads, no timer


async def test_grep_when_it_was_stopped_after_hits_then_these_are_told_as_a_part(
    tools: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeport.tools.builtin.grep.SECONDS", 2.0)
    tools.put("1", "aaa")
    tools.put("2", "a" * 5_000 + "!")

    found = await tools.use("Grep", pattern=r"^(a+)+$")

    assert not found.is_error
    assert found.content.startswith("1\n[Not everything was searched.")
    assert found.details["truncated"] is True


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "(?P<n>", "a{2,1}"])
async def test_grep_when_the_pattern_does_not_compile_then_the_reason_is_told(
    tools: Toolbox, pattern: str
) -> None:
    found = await tools.use("Grep", pattern=pattern)
    assert found.details["code"] == "files.bad-pattern"


async def test_grep_when_nothing_fits_then_it_is_no_error(project: Toolbox) -> None:
    found = await project.use("Grep", pattern="nirgends")
    assert (found.content, found.is_error) == ("[No line fits.]", False)


@pytest.mark.parametrize("path", ["../outside", "../outside/secret.txt", "link", "linked.txt"])
async def test_grep_when_the_path_leads_out_then_nothing_is_found(
    tools: Toolbox, outside: Path, path: str
) -> None:
    (tools.root / "link").symlink_to(outside)
    (tools.root / "linked.txt").symlink_to(outside / "secret.txt")
    found = await tools.use("Grep", pattern="canary", path=path, output_mode="content")
    assert found.details["code"] == "files.outside-workspace"
    everywhere = await tools.use("Grep", pattern="canary", output_mode="content")
    assert "secret" not in everywhere.content
