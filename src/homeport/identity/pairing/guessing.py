"""How much guessing at the codes of waiting devices there may be.

They have a count of their own, and a right one forgives nothing: anybody gets a code of a device of
their own by asking, which must not take wrong guesses back.
"""

from __future__ import annotations

from typing import Final

from homeport.eventlog import EventLog
from homeport.identity.guard import Guard, GuardPolicy
from homeport.kernel.crypto import KeyRing

FAILURES: Final = 5


class PairingGuard(Guard):
    """Counts guesses at user codes: five wrong ones close an account's approving.

    Args:
        per_minute: Wrong guesses per account and per address; zero is no such limit.
    """

    def __init__(self, log: EventLog, keyring: KeyRing, *, per_minute: int) -> None:
        policy = GuardPolicy(
            failures=FAILURES, delay_from=FAILURES, per_minute=per_minute, forgives=False
        )
        super().__init__(log, keyring, policy, counts="pairing")
