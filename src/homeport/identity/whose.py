"""Whose a request is, as far as that is known: whoever its refusal is written down for.

    scope[WHOSE] = Owner(user_id, proven=True)     its credential has proved them: `identified`
    concern(scope, user_id)                        it shows something of theirs, in its body
    shows(scope, text)                             its body has a credential, maybe of somebody's

Say it as soon as it is known: all that is refused from then on stands in the trail of the account.
What a request shows in its headers or as a ticket need not be said (`shown`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

WHOSE: Final = "homeport.whose"
"""Member of a scope: the `Owner`."""
SHOWN: Final = "homeport.shown"
"""Member of a scope: credentials of its body."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The account behind a request, and the credential by which it is known.

    Attributes:
        proven: The credential was good. Else what was shown is theirs, and worth nothing here.
    """

    user_id: str
    device_id: str | None = None
    api_key_id: str | None = None
    proven: bool = False


def concern(scope: Scope, user_id: str, *, device_id: str | None = None) -> None:
    """Says whose the thing is that this request shows; who has proved to call stays its owner."""
    scope.setdefault(WHOSE, Owner(user_id, device_id))


def shows(scope: Scope, credential: str) -> None:
    """Says that a body shows a credential, of whatever kind: whose it is need not be known."""
    scope.setdefault(SHOWN, []).append(credential)
