"""People whose token is their name: proof is identity's matter, and tested there."""

from __future__ import annotations

from homeport.eventlog import EventLog
from homeport.identity.access import Caller, Callers
from homeport.identity.errors import CredentialRefused
from homeport.identity.models import User
from homeport.identity.roles import permissions_of
from homeport.kernel import clock
from homeport.kernel.ids import new_id


class Names(Callers):
    """Knows people by their name."""

    def __init__(self) -> None:
        self.people: dict[str, Caller] = {}

    async def identify(self, credential: str, *, keys_only: bool) -> Caller:
        if keys_only or credential not in self.people:
            raise CredentialRefused
        return self.people[credential]

    async def still_valid(self, caller: Caller) -> bool:
        return caller.username in self.people

    async def add(self, log: EventLog, name: str, *roles: str) -> Caller:
        """A new account, with its row."""
        caller = Caller(
            user_id=new_id(),
            username=name,
            roles=frozenset(roles),
            permissions=permissions_of(("user", *roles)),
        )
        now = clock.utc_now()
        user = User(
            id=caller.user_id,
            email=f"{name}@example.org",
            email_key=f"{name}@example.org",
            username=name,
            username_key=name,
            password_hash=None,
            roles=sorted(roles),
            preferences={},
            is_active=True,
            created_at=now,
            updated_at=now,
            last_login_at=None,
            deleted_at=None,
        )
        async with log.database.write() as session:
            session.add(user)
        self.people[name] = caller
        return caller
