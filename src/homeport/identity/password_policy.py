"""Which new passwords are taken: by length, by guesses, and not made of what everybody knows.

No composition rules (NIST SP 800-63B-4 section 3.1.1.2, ASVS 6.2.5).
"""

from __future__ import annotations

from typing import Final

from zxcvbn_rs_py import zxcvbn

from homeport.identity.errors import WeakPassword

MAX_LENGTH: Final = 128
# zxcvbn's score 3 begins at 10^8 guesses and a tolerance of five, which would shut out every
# password of eight characters: it counts ten guesses for each character that it cannot explain.
MIN_GUESSES: Final = 10**8
_MIN_WORD: Final = 3


def check_strength(password: str, *, min_length: int, words: tuple[str, ...]) -> None:
    """Checks a new password; takes up to 20 ms of processor time.

    Args:
        password: In NFC; characters are code points.
        min_length: Characters that it needs at least.
        words: Names of the account and of the server.

    Raises:
        WeakPassword: With `issues`, one sentence each, on what is wrong and what would help.
    """
    if len(password) < min_length:
        raise _weak(f"It has {len(password)} characters; {min_length} are needed.")
    if len(password) > MAX_LENGTH:
        raise _weak(f"It has {len(password)} characters; {MAX_LENGTH} are the most.")
    known = sorted({word.casefold() for word in words if len(word) >= _MIN_WORD}, key=len)
    left = _without(password, known)
    if left < min_length and left < len(password):
        raise _weak("It is mostly made of your name, your address or this server's name.")
    verdict = zxcvbn(password, known)
    if verdict.guesses >= MIN_GUESSES:
        return
    feedback = verdict.feedback
    issues = ["It can be guessed."]
    if feedback is not None:
        issues = [str(feedback.warning) if feedback.warning else issues[0]]
        issues += [str(suggestion) for suggestion in feedback.suggestions]
    raise _weak(*(issue if issue.endswith(".") else f"{issue}." for issue in issues))


def _weak(*issues: str) -> WeakPassword:
    return WeakPassword(" ".join(issues), param="password", issues=list(issues))


def _without(password: str, words: list[str]) -> int:
    """How many characters are left when every word is taken out, the longest first."""
    rest = password.casefold()
    for word in reversed(words):
        rest = rest.replace(word, "")
    return len(rest)
