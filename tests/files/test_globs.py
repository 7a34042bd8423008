from __future__ import annotations

import pytest

from homeport.files.errors import BadPattern
from homeport.files.globs import compile_glob


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("*.py", ["a.py", "x/y/a.py", ".py"], ["a.pyc", "a/py"]),
        ("src/*.py", ["src/a.py"], ["src/x/a.py", "a.py", "x/src/a.py"]),
        ("src/**/*.py", ["src/a.py", "src/x/a.py", "src/x/y/a.py"], ["a.py", "src/a.txt"]),
        (
            "**/test_*.py",
            ["test_a.py", "x/test_.py", "x/y/test_b.py"],
            ["x/test_b.txt", "xtest_a.py"],
        ),
        ("src/**", ["src/a", "src/x/y"], ["src", "srcx/a"]),
        ("a/**/b/**/c", ["a/b/c", "a/x/b/y/c", "a/b/b/c"], ["a/c", "a/b/x"]),
        ("**/a/**", ["a/x", "x/a/y"], ["a", "b/x"]),
        ("?.txt", ["a.txt", "x/b.txt", "é.txt"], ["ab.txt", ".txt"]),
        ("[ab].c", ["a.c", "b.c"], ["c.c", "ab.c"]),
        ("[!ab].c", ["c.c"], ["a.c", "/.c"]),
        ("[a-c]x", ["ax", "cx"], ["dx"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[[:digit:]x]", ["5", "x"], ["y"]),
        ("*.{ts,tsx}", ["a.ts", "x/b.tsx"], ["a.t", "a.{ts,tsx}"]),
        ("{src,test}/**/*.{c,h}", ["src/a.c", "test/x/b.h"], ["lib/a.c"]),
        ("\\*", ["*"], ["a"]),
        ("a\\[b", ["a[b"], ["ab"]),
        ("{a}", ["{a}"], ["a"]),
        ("/top.txt", ["top.txt"], ["x/top.txt"]),
        ("*a*b*c*", ["abc", "xaxbxcx"], ["acb"]),
        ("a.b+c(d)^$|", ["a.b+c(d)^$|"], ["aXb+c(d)^$|"]),
        ("*\nx", ["a\nx"], ["a x"]),
    ],
)
def test_glob_when_compiled_then_it_fits_what_it_says(
    pattern: str, fits: list[str], does_not: list[str]
) -> None:
    expression = compile_glob(pattern)

    assert [path for path in fits if not expression.match(path)] == []
    assert [path for path in does_not if expression.match(path)] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "[",
        "[a",
        "[!",
        "[[:nothing:]]",
        "a\\",
        "x" * 1025,
        "{a,b}" * 9,
        "{a,b}" * 8 + "*a" * 490,
        "[a]/[b",
    ],
)
def test_glob_when_it_is_malformed_then_it_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        compile_glob(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 40 + "*b",
        "**/" * 40 + "b",
        "**/*a*a*a*a*a*a*a*/" * 20 + "b",
        "a*/**/" * 60 + "b",
        "?*" * 100 + "b",
        "[a]*" * 60 + "b",
    ],
)
def test_glob_when_it_is_hostile_then_matching_ends(pattern: str) -> None:
    expression = compile_glob(pattern)

    assert expression.match("a" * 250) is None
    assert expression.match("/".join(["a" * 60] * 60)) is None
