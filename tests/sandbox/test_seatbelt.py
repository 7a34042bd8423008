"""The text of macOS's profiles: what cannot be run here can still be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.sandbox import PROTECTED_NAMES, Command, CommandRefused
from homeport.sandbox.layout import Places
from homeport.sandbox.seatbelt import SeatbeltSandbox, profile, quoted
from homeport.sandbox.toolchains import Toolchains


@pytest.fixture
def bare(tmp_path: Path) -> Places:
    return Places(Toolchains((tmp_path / "tools",), "/usr/bin", ()), tmp_path / "data")


def text_of(command: Command, places: Places, pins: tuple[str, ...] = ()) -> str:
    return profile(command, places, home="/private/tmp/home", pins=pins, readable=())


def balanced(text: str) -> bool:
    depth, inside, escaped = 0, False, False
    for letter in text:
        if escaped:
            escaped = False
        elif inside and letter == "\\":
            escaped = True
        elif letter == '"':
            inside = not inside
        elif not inside:
            depth += (letter == "(") - (letter == ")")
            if depth < 0:
                return False
    return depth == 0 and not inside


def test_profile_when_written_then_everything_is_denied_first(bare: Places, tmp_path: Path) -> None:
    text = text_of(Command(("true",), tmp_path / "ws"), bare)
    assert text.startswith("(version 1)\n(deny default)\n")
    assert "(allow network" not in text
    assert balanced(text)


def test_profile_when_the_workspace_is_read_only_then_it_is_not_among_the_writes(
    bare: Places, tmp_path: Path
) -> None:
    place = f'(subpath "{tmp_path}/ws")'
    writes = {
        read_only: next(
            line
            for line in text_of(
                Command(("true",), tmp_path / "ws", workspace_read_only=read_only), bare
            ).splitlines()
            if line.startswith("(allow file-write*")
        )
        for read_only in (False, True)
    }
    assert place in writes[False]
    assert place not in writes[True]


def test_profile_when_names_are_protected_then_their_denial_comes_last(
    bare: Places, tmp_path: Path
) -> None:
    text = text_of(Command(("true",), tmp_path / "ws"), bare, (".mcp.json", ".git/hooks"))
    allowed = text.index("(allow file-write*")
    for name in (".mcp.json", ".git/hooks"):
        place = f'"{tmp_path}/ws/{name}"'
        assert text.index(f"(deny file-write* (literal {place}) (subpath {place}))") > allowed


def test_profile_when_written_then_the_servers_data_is_denied_after_all_reads(
    bare: Places, tmp_path: Path
) -> None:
    text = text_of(Command(("true",), tmp_path / "ws", readable=(tmp_path,)), bare)
    denial = f'(deny file-read* file-write* (subpath "{tmp_path}/data"))'
    assert text.rindex(denial) > text.rindex("(allow file-read* (subpath")


def test_profile_when_the_workspace_lies_in_the_data_directory_then_it_is_opened_again(
    bare: Places, tmp_path: Path
) -> None:
    place = tmp_path / "data" / "workspaces" / "one"
    text = text_of(Command(("true",), place), bare)
    denial = f'(deny file-read* file-write* (subpath "{tmp_path}/data"))'
    assert text.rindex(denial) < text.index("(allow file-read* (subpath")


def test_profile_when_the_network_is_open_then_it_says_so(bare: Places, tmp_path: Path) -> None:
    assert "(allow network*)" in text_of(Command(("true",), tmp_path, network="full"), bare)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/a b", '"/a b"'), ('/a"b', '"/a\\"b"'), ("/a\\b", '"/a\\\\b"'), ("/ü", '"/ü"')],
)
def test_quoted_when_a_path_is_odd_then_it_stays_one_string(path: str, expected: str) -> None:
    assert quoted(path) == expected


@pytest.mark.parametrize("path", ["/a\nb", "/a\0b", "/a\x7fb"])
def test_quoted_when_a_path_cannot_be_spelled_then_it_is_refused(path: str) -> None:
    with pytest.raises(CommandRefused):
        quoted(path)


def test_profile_when_a_path_tries_to_close_its_string_then_nothing_is_added(
    bare: Places, tmp_path: Path
) -> None:
    text = text_of(Command(("true",), tmp_path / 'x")(allow default)("'), bare)
    assert balanced(text)
    assert '\\")(allow default)(\\"' in text


def test_plan_when_prepared_then_the_command_runs_under_the_profile(
    bare: Places, tmp_path: Path
) -> None:
    bare.secrets.mkdir()
    place = tmp_path / "ws"
    place.mkdir()
    sandbox = SeatbeltSandbox(bare, "/usr/bin/sandbox-exec")
    plan, guard = sandbox.prepare(Command(("make", "all"), place), "/tmp/home", live=False)
    assert guard is not None
    assert plan["wrapper"][:2] == ["/usr/bin/sandbox-exec", "-p"]
    for name in PROTECTED_NAMES:
        assert f'(literal "{place}/{name}")' in plan["wrapper"][2]
    assert plan["argv"] == ["make", "all"]
