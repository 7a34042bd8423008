"""How much guessing at codes there may be: less than at passwords, as a code is short.

Five wrong codes close an account's second factor for fifteen minutes, on every route that takes a
code. Three codes in 1,000,000 are right at a time: 480 guesses a day, by somebody who has the
password already, are right with a chance of 0.15 %. Each lock is recorded (`login.locked`).
"""

from __future__ import annotations

from homeport.eventlog import EventLog
from homeport.identity.guard import Guard, GuardPolicy
from homeport.kernel.crypto import KeyRing

FAILURES = 5


class CodeGuard(Guard):
    """Counts guesses at codes, apart from those at passwords.

    Args:
        per_minute: Wrong guesses per account and per address; zero is no such limit.
    """

    def __init__(self, log: EventLog, keyring: KeyRing, *, per_minute: int) -> None:
        policy = GuardPolicy(failures=FAILURES, delay_from=FAILURES, per_minute=per_minute)
        super().__init__(log, keyring, policy, counts="code")
