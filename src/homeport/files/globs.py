"""Shell patterns as regular expressions whose matching time is bounded whatever the pattern.

Patterns come from a repository's `.gitignore` and from the model: both may be hostile. A `*` that
is not the last one of its segment, and a `**` that is not the last one of its path, can always
settle for the leftmost match, so they are atomic groups: the engine never comes back to them.
"""

from __future__ import annotations

import re

from homeport.files.errors import BadPattern

MAX_PATTERN = 1024
MAX_ALTERNATIVES = 256
MAX_WRITTEN_OUT = 8 << 10
"""Characters of all alternatives together: compiling takes some 40 us for each."""
ANY_FOLDERS = r"(?:[^/]+/)*?"
POSIX_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


def compile_glob(pattern: str) -> re.Pattern[str]:
    """The regular expression for a glob over workspace-relative paths.

    `*`, `?` and `[...]` stay within a segment, `**` spans segments, `{a,b}` are alternatives. A
    pattern without a slash is tried against the last segment, at any depth.

    Raises:
        BadPattern: Too long, too many or too long alternatives, or a class that does not close.
    """
    if not pattern or len(pattern) > MAX_PATTERN:
        raise BadPattern(f"A pattern has 1 to {MAX_PATTERN} characters.", param="pattern")
    choices: list[str] = []
    for one in _without_braces(pattern):
        anchored = one if "/" in one else f"**/{one}"
        translated = path_expression(anchored.lstrip("/"))
        if translated is None:
            raise BadPattern("A [class] in the pattern is not valid.", param="pattern")
        choices.append(translated)
    return re.compile("|".join(choices))


def path_expression(pattern: str) -> str | None:
    """The expression for a pattern anchored at both ends, no braces; None when it is invalid."""
    groups: list[list[str]] = [[]]
    for segment in pattern.split("/"):
        if segment != "**":
            groups[-1].append(segment)
        elif groups[-1] or len(groups) == 1:
            groups.append([])
    expressions = [_segments(group) for group in groups]
    if any(expression is None for expression in expressions):
        return None
    known = [expression for expression in expressions if expression is not None]
    return _joined(known)


def _joined(groups: list[str]) -> str:
    first, *others = groups
    text = first
    for number, group in enumerate(others, 1):
        text += "/" if number == 1 and first else ""
        last = number == len(others)
        if last and not group:
            text += r".+"
        elif last:
            text += ANY_FOLDERS + group
        else:
            text += f"(?>{ANY_FOLDERS}{group}/)"
    return rf"(?:{text})\Z"


def _segments(segments: list[str]) -> str | None:
    translated = [_segment(segment) for segment in segments]
    if any(one is None for one in translated):
        return None
    return "/".join(one for one in translated if one is not None)


def _segment(segment: str) -> str | None:
    """One segment; its end is the next slash or the end, so the whole of it is atomic."""
    chunks: list[str] = [""]
    rest = segment
    while rest:
        character, rest = rest[0], rest[1:]
        if character == "*":
            rest = rest.lstrip("*")
            chunks.append("")
        elif character == "?":
            chunks[-1] += "[^/]"
        elif character == "[":
            parsed = _character_class(rest)
            if parsed is None:
                return None
            expression, rest = parsed
            chunks[-1] += expression
        elif character == "\\":
            if not rest:
                return None
            chunks[-1] += re.escape(rest[0])
            rest = rest[1:]
        else:
            chunks[-1] += re.escape(character)
    first, *others = chunks
    middle = "".join(f"(?>[^/]*?{chunk})" for chunk in others[:-1])
    last = f"[^/]*{others[-1]}" if others else ""
    return rf"(?>{first}{middle}{last}(?=/|\Z))"


def _character_class(rest: str) -> tuple[str, str] | None:
    """What follows a `[`, as (expression, remainder); None when it never closes."""
    negated = rest[:1] in {"!", "^"}
    position = 1 if negated else 0
    members: list[str] = []
    while True:
        character = rest[position : position + 1]
        if not character:
            return None
        if character == "]" and members:
            break
        named = re.compile(r"\[:([a-z]+):\]").match(rest, position)
        if named is not None:
            if named[1] not in POSIX_CLASSES:
                return None
            members.append(POSIX_CLASSES[named[1]])
            position = named.end()
            continue
        member, position = _class_member(rest, position)
        members.append(member)
    body = "".join(member for member in members if member)
    remainder = rest[position + 1 :]
    if not body:
        return ("[^/]" if negated else r"(?!)"), remainder
    return rf"(?!/)[{'^' if negated else ''}{body}]", remainder


def _class_member(rest: str, position: int) -> tuple[str, int]:
    """One character or a range at `position`; an inverted range has no members."""
    first, position = _class_character(rest, position)
    after = rest[position : position + 2]
    if len(after) < 2 or after[0] != "-" or after[1] == "]":
        return re.escape(first), position
    last, position = _class_character(rest, position + 1)
    if first > last:
        return "", position
    return f"{re.escape(first)}-{re.escape(last)}", position


def _class_character(rest: str, position: int) -> tuple[str, int]:
    if rest[position] == "\\" and position + 1 < len(rest):
        return rest[position + 1], position + 2
    return rest[position], position + 1


def _without_braces(pattern: str) -> list[str]:
    """The pattern with its first `{a,b}` (innermost) written out, until none is left."""
    pending, done = [pattern], list[str]()
    innermost = re.compile(r"\{([^{}]*,[^{}]*)\}")
    while pending:
        one = pending.pop()
        found = innermost.search(one)
        if found is None:
            done.append(one)
        else:
            choices = found[1].split(",")
            pending += [one[: found.start()] + choice + one[found.end() :] for choice in choices]
        if len(pending) + len(done) > MAX_ALTERNATIVES:
            raise BadPattern(
                f"The pattern has more than {MAX_ALTERNATIVES} alternatives.", param="pattern"
            )
        if sum(map(len, pending)) + sum(map(len, done)) > MAX_WRITTEN_OUT:
            raise BadPattern("The alternatives of the pattern are too long.", param="pattern")
    return done
