"""Names of accounts: what is shown, and the folded key by which two names count as one."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, StringConstraints

USERNAME_MIN, USERNAME_MAX = 2, 64
EMAIL_MAX = 254
_USERNAME = re.compile(r"[^\W_](?:[\w.-]*\w)?")
_TOGETHER = (
    {"LATIN", "CJK", "HIRAGANA", "KATAKANA"},
    {"LATIN", "CJK", "HANGUL"},
    {"LATIN", "CJK", "BOPOMOFO"},
)
"""Scripts that one language writes together (Unicode TR 39, 5.2: highly restrictive)."""


def folded(name: str) -> str:
    """The key under which `name` is unique: width, case and composition make no difference.

    NFKC, case-folded, NFKC again (Unicode TR 15 and 3.13: folding may decompose).
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def has_one_script(name: str) -> bool:
    """Whether the letters of `name` are of one script, or of those that one language mixes.

    A name that mixes others is made to be taken for somebody else's: `\u0430dmin` for `admin`.
    """
    letters = (one for one in folded(name) if unicodedata.category(one) in {"Ll", "Lo", "Lt", "Lu"})
    # The first word of a letter's name is its script: LATIN SMALL LETTER A, CJK UNIFIED IDEOGRAPH.
    found = {unicodedata.name(letter, "").partition(" ")[0] for letter in letters}
    return len(found) < 2 or any(found <= together for together in _TOGETHER)


def _username(value: str) -> str:
    name = unicodedata.normalize("NFC", value)
    if not USERNAME_MIN <= len(name) <= USERNAME_MAX or not _USERNAME.fullmatch(name):
        raise ValueError(
            f"a username has {USERNAME_MIN} to {USERNAME_MAX} letters, digits, '.', '_' or '-', "
            "begins with a letter or digit and does not end with '.' or '-'"
        )
    if not has_one_script(name):
        raise ValueError("the letters of a username are of one script")
    return name


def _email(value: str) -> str:
    try:
        # Deliverability is asked of DNS, and a home server's domain may have one label.
        found = validate_email(value, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    if len(found.normalized) > EMAIL_MAX:
        raise ValueError(f"an email address has at most {EMAIL_MAX} characters")
    return unicodedata.normalize("NFC", found.normalized)


def _device_name(value: str) -> str:
    # It is shown to whoever decides: nothing in it hides or turns what stands there.
    if not value.isprintable():
        raise ValueError("a device's name has printable characters only")
    return value.strip()


Username = Annotated[str, StringConstraints(max_length=256), AfterValidator(_username)]
EmailAddress = Annotated[str, StringConstraints(max_length=512), AfterValidator(_email)]
DeviceName = Annotated[str, StringConstraints(max_length=200), AfterValidator(_device_name)]


def username_from(email: str) -> str:
    """A username made of an address, for somebody who chose none."""
    local = re.sub(r"[^\w.-]", "", email.partition("@")[0])
    name = local.strip("._-")[: USERNAME_MAX - 8].rstrip(".-")
    if not has_one_script(name):
        name = ""
    return name if len(name) >= USERNAME_MIN else f"user{name}"
