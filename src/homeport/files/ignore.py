"""What `.gitignore` files say about a path (gitignore(5)), with bounded matching time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from homeport.files.globs import MAX_PATTERN, path_expression

MAX_RULES = 2_000


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: `negated` takes back, `folders_only` ends in a slash, `by_name` has no slash."""

    expression: re.Pattern[str]
    negated: bool
    folders_only: bool
    by_name: bool


class Rules:
    """The rules of one file, for paths relative to the directory that holds it."""

    def __init__(self, text: str) -> None:
        parsed = (_rule(line) for line in text.removeprefix("\ufeff").splitlines())
        self._rules = [rule for rule in parsed if rule is not None][:MAX_RULES]
        self._rules.reverse()

    def verdict(self, path: str, *, is_folder: bool) -> bool | None:
        """True: ignored; False: taken back; None: these rules say nothing."""
        name = path.rpartition("/")[2]
        for rule in self._rules:
            if rule.folders_only and not is_folder:
                continue
            if rule.expression.match(name if rule.by_name else path):
                return not rule.negated
        return None


def ignored(layers: Sequence[tuple[int, Rules]], parts: Sequence[str], *, is_folder: bool) -> bool:
    """Whether a path is ignored: the deepest file that says something decides.

    Args:
        layers: From the root down: (number of leading parts that lead to the file, its rules).
        parts: The path from the root.
        is_folder: What the path is.
    """
    for depth, rules in reversed(layers):
        verdict = rules.verdict("/".join(parts[depth:]), is_folder=is_folder)
        if verdict is not None:
            return verdict
    return False


def _rule(line: str) -> Rule | None:
    line = _without_trailing_spaces(line)
    if not line or line.startswith("#") or len(line) > MAX_PATTERN:
        return None
    negated = line.startswith("!")
    line = line.removeprefix("!")
    folders_only = line.endswith("/")
    line = line.removesuffix("/")
    by_name = "/" not in line
    translated = path_expression(line.removeprefix("/"))
    if not line or translated is None:
        return None
    return Rule(re.compile(translated), negated, folders_only, by_name)


def _without_trailing_spaces(line: str) -> str:
    line = line.rstrip("\r\n")
    while line.endswith(" ") and not line.endswith("\\ "):
        line = line[:-1]
    return line
