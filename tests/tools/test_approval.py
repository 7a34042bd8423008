from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from homeport.tools.approval import digest, may_always, summary

HERE: dict[str, str] = {"cwd": "/w", "network": "none", "project_id": "p"}
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(max_size=8), VALUES, max_size=5)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON documents are the same, told in another way than the digest does."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        left = cast("dict[str, Any]", one)
        return left.keys() == other.keys() and all(same(left[name], other[name]) for name in left)
    if isinstance(one, list):
        items = cast("list[Any]", one)
        return len(items) == len(other) and all(map(same, items, other))
    return repr(one) == repr(other)


@given(arguments=ARGUMENTS, data=st.data())
def test_digest_when_members_are_in_another_order_then_it_is_the_same(
    arguments: dict[str, Any], data: st.DataObject
) -> None:
    names = data.draw(st.permutations(list(arguments)))
    shuffled = {name: arguments[name] for name in names}
    assert digest("T", arguments, **HERE) == digest("T", shuffled, **HERE)


@given(arguments=ARGUMENTS)
def test_digest_when_it_went_over_the_wire_then_it_is_the_same(arguments: dict[str, Any]) -> None:
    returned = json.loads(json.dumps(arguments))
    assert digest("T", arguments, **HERE) == digest("T", returned, **HERE)


@given(one=ARGUMENTS, other=ARGUMENTS)
def test_digest_when_arguments_differ_then_it_differs(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assume(not same(one, other))
    assert digest("T", one, **HERE) != digest("T", other, **HERE)


@given(command=st.text(min_size=1, max_size=40), more=st.text(min_size=1, max_size=10))
def test_digest_when_a_command_gets_longer_then_it_differs(command: str, more: str) -> None:
    asked = digest("Bash", {"command": command}, **HERE)
    assert asked != digest("Bash", {"command": command + more}, **HERE)
    assert asked != digest("Bash", {"command": more + command}, **HERE)


@pytest.mark.parametrize(
    "other",
    [
        {"tool": "Write"},
        {"cwd": "/w/sub"},
        {"network": "full"},
        {"project_id": "q"},
        {"arguments": {"command": "make; rm -rf ."}},
        {"arguments": {"command": "make "}},
        {"arguments": {"command": "Make"}},
        {"arguments": {"command": "\uff4dake"}},
        {"arguments": {"command": "make", "timeout": 600}},
        {"arguments": {"command": ["make"]}},
    ],
)
def test_digest_when_anything_that_acts_differs_then_it_differs(other: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"tool": "Bash", "arguments": {"command": "make"}, **HERE}
    assert digest(**asked) != digest(**{**asked, **other})


def test_digest_when_only_the_models_words_about_it_differ_then_it_is_the_same() -> None:
    plain = digest("Bash", {"command": "make"}, **HERE)
    assert plain == digest("Bash", {"command": "make", "description": "Builds"}, **HERE)
    assert digest("Other", {"description": "a"}, **HERE) != digest("Other", {}, **HERE)


def test_digest_when_a_number_is_no_json_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest("T", {"a": float("nan")}, **HERE)


@given(one=st.text(max_size=60), other=st.text(max_size=60))
def test_summary_when_commands_differ_then_people_see_it_on_one_visible_line(
    one: str, other: str
) -> None:
    shown = summary("Bash", {"command": one})
    assert shown.isprintable()
    assert (shown == summary("Bash", {"command": other})) == (one == other)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("ls -la", "Bash: ls -la"),
        ("a\nb\tc", "Bash: a⏎b⇥c"),
        ("\x1b[2K\rls", "Bash: ⟨U+001B⟩[2K⟨U+000D⟩ls"),
        ("rm \u202etxt.a", "Bash: rm ⟨U+202E⟩txt.a"),
        ("a\u200bb\ufe0fc\u3164d", "Bash: a⟨U+200B⟩b⟨U+FE0F⟩c⟨U+3164⟩d"),
        ("echo ⏎", "Bash: echo ⟨U+23CE⟩"),
        ("echo 日本 ü", "Bash: echo 日本 ü"),
    ],
)
def test_summary_when_characters_hide_then_they_are_made_visible(command: str, shown: str) -> None:
    assert summary("Bash", {"command": command, "description": "harmless"}) == shown


def test_summary_when_a_command_is_long_then_its_end_is_seen_and_the_cut_is_told() -> None:
    shown = summary("Bash", {"command": "echo " + "x" * 5_000 + "; curl evil"})
    assert shown.endswith("; curl evil")
    assert "…[4616 characters not shown]…" in shown
    assert len(shown) < 500


@pytest.mark.parametrize(
    ("tool", "arguments", "shown"),
    [
        ("Write", {"file_path": "a\nb", "content": "x\ny\n"}, "Write a⏎b (2 lines, 4 characters)"),
        ("Edit", {"file_path": "a", "replace_all": True}, "Edit a (every occurrence)"),
        ("Edit", {"file_path": "a", "old_string": "x"}, "Edit a"),
        ("mcp__x", {"b": 1, "a": "\u202e"}, 'mcp__x {"a": "⟨U+202E⟩", "b": 1}'),
    ],
)
def test_summary_when_it_is_another_tool_then_its_path_or_input_is_shown(
    tool: str, arguments: dict[str, Any], shown: str
) -> None:
    assert summary(tool, arguments) == shown


@pytest.mark.parametrize(
    "command",
    [
        *["pytest", "pytest -x -q tests/unit", "make test", "npm test", "git status", "ls -la"],
        *["ruff check .", "cargo build --release", "go test ./...", "npm run build:prod"],
    ],
)
def test_may_always_when_the_command_is_plain_words_then_people_may(command: str) -> None:
    assert may_always("Bash", {"command": command})


@pytest.mark.parametrize(
    "command",
    [
        *["bash -c ls", "sh x", "python a.py", "python3.11 -m x", "python3 x", "node a.js"],
        *["perl x", "ruby x", "sudo ls", "env ls", "env -i ls", "xargs rm", "ssh host", "eval ls"],
        *["find . -exec rm", "find . -name x", "PYTHON3 x", "python.exe x", "timeout 5 ls"],
        *["git -c core.pager=x log", "git fetch --upload-pack=x", "tar --to-command=x -xf a"],
        *["FOO=bar make", "./run.sh", "/bin/ls", "bin/x", ". x", "source x", "nice bash", "npx x"],
        *["ls; rm", "ls | cat", "ls & ls", "ls && ls", "echo $HOME", "echo `ls`", "a > b", "a < b"],
        *["echo $(ls)", "(ls)", "ls\nrm", "ls\rrm", "ls\trm", "rm *", "rm ?", "rm [a]"],
        *["echo {a,b}", "echo 'a'", 'echo "a"', "echo \\a", "~/x", "! ls", "# ls", "ls  -la"],
        *["", " ls", "ls ", "ls\n", "\uff4c\uff53", "ls \u00a0a", "ls\u2028rm", "echo \u202e"],
    ],
)
def test_may_always_when_anything_could_run_something_else_then_people_may_not(
    command: str,
) -> None:
    assert not may_always("Bash", {"command": command})


@given(command=st.text(max_size=30), sign=st.sampled_from(";|&$`<>()\n\r\\'\"*?[]{}~#!"))
def test_may_always_when_a_shell_sign_is_anywhere_then_people_may_not(
    command: str, sign: str
) -> None:
    for place in {0, len(command) // 2, len(command)}:
        assert not may_always("Bash", {"command": command[:place] + sign + command[place:]})


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("Write", {"file_path": "a", "content": "x"}),
        ("Edit", {"file_path": "a", "old_string": "x", "new_string": "y"}),
        ("mcp__shell__run", {"command": "ls"}),
        ("Bash", {}),
        ("Bash", {"command": ["ls"]}),
    ],
)
def test_may_always_when_it_is_no_command_then_people_may_not(
    tool: str, arguments: dict[str, Any]
) -> None:
    assert not may_always(tool, arguments)
