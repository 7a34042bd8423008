from __future__ import annotations

from pathlib import Path

import pytest

from support.toolbox import Toolbox


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.py", "", ["setup.py", "src/a.py", "src/deep/b.py"]),
        ("src/**/*.py", "", ["src/a.py", "src/deep/b.py"]),
        ("*.py", "src/deep", ["src/deep/b.py"]),
        ("deep/*.{py,ts}", "src", ["src/deep/b.py", "src/deep/c.ts"]),
        ("{root}/src/*.py", "", ["src/a.py"]),
        ("*.py", "{root}/src", ["src/a.py", "src/deep/b.py"]),
    ],
)
async def test_glob_when_files_fit_then_their_paths_come_from_the_root(
    tools: Toolbox, pattern: str, path: str, expected: list[str]
) -> None:
    for each in ("setup.py", "src/a.py", "src/deep/b.py", "src/deep/c.ts", ".git/x.py"):
        tools.put(each, "")
    tools.put(".gitignore", "build/\n")
    tools.put("build/x.py", "")

    found = await tools.use(
        "Glob",
        pattern=pattern.replace("{root}", str(tools.root)),
        path=path.replace("{root}", str(tools.root)),
    )

    assert found.content.split("\n") == expected
    assert found.details["truncated"] is False


async def test_glob_when_nothing_fits_then_it_says_so_without_an_error(tools: Toolbox) -> None:
    found = await tools.use("Glob", pattern="*.nope")
    assert (found.content, found.is_error) == ("[No file fits *.nope.]", False)


async def test_glob_when_there_are_many_then_the_offset_continues(tools: Toolbox) -> None:
    for number in range(1_100):
        (tools.root / f"{number:04}.txt").touch()

    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = await tools.use("Glob", pattern="*.txt", offset=offset)
        seen += [line for line in page.content.split("\n") if not line.startswith("[")]
        offset = page.details.get("next_offset")

    assert seen == [f"{number:04}.txt" for number in range(1_100)]


@pytest.mark.parametrize("path", ["../outside", "/etc", "link"])
async def test_glob_when_the_folder_is_outside_then_nothing_is_listed(
    tools: Toolbox, outside: Path, path: str
) -> None:
    (tools.root / "link").symlink_to(outside)
    found = await tools.use("Glob", pattern="*", path=path)
    assert found.details["code"] == "files.outside-workspace"
    inside = await tools.use("Glob", pattern="**/*.txt")
    assert "secret" not in inside.content


@pytest.mark.parametrize("pattern", ["[", "{a,b}" * 20, "x" * 1_025])
async def test_glob_when_the_pattern_is_none_then_it_is_refused(
    tools: Toolbox, pattern: str
) -> None:
    assert (await tools.use("Glob", pattern=pattern)).is_error


async def test_glob_when_time_is_over_then_what_was_found_is_told_as_a_part(
    tools: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeport.tools.builtin.glob.SECONDS", -1.0)
    tools.put("a", "")
    found = await tools.use("Glob", pattern="*")
    assert "The search was ended" in found.content
    assert found.details["truncated"] is True


async def test_glob_when_it_takes_too_long_then_what_was_found_is_told_as_a_part(
    tools: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeport.tools.builtin.glob.SECONDS", 0.0)
    tools.put("a", "")
    found = await tools.use("Glob", pattern="*")
    assert found.content == (
        "[Not everything was looked at. The search was ended after 0 s; give a narrower path.]"
    )
    assert found.details["truncated"] is True
