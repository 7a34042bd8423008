"""Puts identity together for `wiring`: plain values in, services by type out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

from sqlalchemy import delete

from homeport.eventlog import EventLog
from homeport.identity.access import Callers, RequestSignatures
from homeport.identity.access_tokens import AccessTokens
from homeport.identity.authenticator import Authenticator
from homeport.identity.denials import Denials
from homeport.identity.factors import pending
from homeport.identity.factors.guessing import CodeGuard
from homeport.identity.factors.totp import Totp
from homeport.identity.guard import Guard, GuardPolicy, remove_forgotten
from homeport.identity.invitations import service as invitations
from homeport.identity.key_rotation import KeyRotation
from homeport.identity.mint import TokenMint
from homeport.identity.models import RefreshToken, SetupLink
from homeport.identity.pairing.guessing import PairingGuard
from homeport.identity.pairing.models import Pairing
from homeport.identity.passkeys.ceremony import RelyingParty
from homeport.identity.passkeys.models import PasskeyChallenge
from homeport.identity.passwords import HasherName, Passwords
from homeport.identity.public_address import PublicAddress
from homeport.identity.refresh_cookie import RefreshCookies
from homeport.identity.registration import Registration
from homeport.identity.signatures.enforcement import Signatures
from homeport.identity.signatures.nonces import remove_old
from homeport.identity.signing_keys import SigningKeys
from homeport.identity.tickets import StreamTickets, remove_expired
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing
from homeport.kernel.http.refusals import Refusals

UPKEEP_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class IdentityOptions:
    """What the operator sets about identity.

    Attributes:
        issuer: The `iss` and `aud` of access tokens; the same on all nodes and for ever.
        origin: `https://host[:port]` of the address that people see: what they sign.
        signed_critical: Critical routes want signed requests of everybody.
        server_names: Host names of this server: no password is made of them.
        public_url: Where people reach this server; None: whatever they ask. Its pages may use the
            cookie of a sign-in.
        page_origins: Origins of pages that may call this server.
    """

    registration: Literal["open", "invite", "closed"] = "open"
    issuer: str = "homeport"
    access_lifetime: timedelta = timedelta(minutes=15)
    signing_key_age: timedelta = timedelta(days=90)
    refresh_idle: timedelta = timedelta(days=7)
    refresh_absolute: timedelta = timedelta(days=30)
    password_hasher: HasherName = "argon2id"  # noqa: S105 - the name of a function
    password_min_length: int = 8
    server_names: tuple[str, ...] = ()
    public_url: str | None = None
    page_origins: tuple[str, ...] = ()
    origin: str = "http://127.0.0.1:8000"
    signed_critical: bool = False
    guessing: GuardPolicy = field(default_factory=GuardPolicy)


class Identity:
    """The open room; made by `open_identity`."""

    def __init__(self, log: EventLog, keyring: KeyRing, options: IdentityOptions) -> None:
        self._log = log
        self._keyring = keyring
        self.public = PublicAddress(options.public_url)
        self.party = RelyingParty(options.public_url, options.page_origins)
        self.signing_keys = SigningKeys(log, keyring)
        self.key_rotation = KeyRotation(
            log,
            self.signing_keys,
            keyring,
            age=options.signing_key_age,
            access_lifetime=options.access_lifetime,
        )
        self.passwords = Passwords(
            hasher=options.password_hasher,
            min_length=options.password_min_length,
            server_names=options.server_names,
        )
        self.tokens = AccessTokens(
            self.signing_keys,
            issuer=options.issuer,
            audience=options.issuer,
            lifetime=options.access_lifetime,
        )
        self.mint = TokenMint(
            keyring, self.tokens, idle=options.refresh_idle, absolute=options.refresh_absolute
        )
        self.guard = Guard(log, keyring, options.guessing)
        self.code_guard = CodeGuard(log, keyring, per_minute=options.guessing.per_minute)
        self.pairing_guard = PairingGuard(log, keyring, per_minute=options.guessing.per_minute)
        self.callers = Authenticator(log.database, self.tokens)
        self.denials = Denials(log, self.tokens)
        self.signatures = Signatures(
            log.database, origin=options.origin, critical=options.signed_critical
        )
        self.tickets = StreamTickets(log.database, self.callers)
        self.totp = Totp(keyring)
        self.cookies = RefreshCookies(keyring, public_url=options.public_url)
        self.registration = Registration(options.registration)

    def services(self) -> Mapping[type[Any], Any]:
        """What identity's routers and `SignedIn` ask for; `Activity` comes from a room above."""
        return {
            Callers: self.callers,
            Authenticator: self.callers,
            AccessTokens: self.tokens,
            Denials: self.denials,
            Refusals: self.denials,
            SigningKeys: self.signing_keys,
            TokenMint: self.mint,
            RefreshCookies: self.cookies,
            Passwords: self.passwords,
            Guard: self.guard,
            CodeGuard: self.code_guard,
            PairingGuard: self.pairing_guard,
            Registration: self.registration,
            StreamTickets: self.tickets,
            Signatures: self.signatures,
            RequestSignatures: self.signatures,
            Totp: self.totp,
            KeyRing: self._keyring,
            PublicAddress: self.public,
            RelyingParty: self.party,
        }

    async def upkeep(self) -> None:
        """One round of the chores, every `UPKEEP_S` seconds on every node.

        Writes down what was used, and removes what expired.

        Raises:
            Unavailable: The database does not take it; the next round tries again.
        """
        await self.callers.write_last_used()
        now = clock.utc_now()
        async with self._log.database.write() as session:
            await session.execute(delete(RefreshToken).where(RefreshToken.expires_at < now))
            await session.execute(delete(SetupLink).where(SetupLink.expires_at < now))
            await remove_expired(session)
            await remove_old(session)
            await pending.remove_expired(session, now=now)
            await session.execute(delete(Pairing).where(Pairing.expires_at < now))
            await session.execute(delete(PasskeyChallenge).where(PasskeyChallenge.expires_at < now))
            await remove_forgotten(session)
            await invitations.remove_old(session)

    async def close(self) -> None:
        """Writes down what was used and ends the threads.

        Raises:
            Unavailable: The database does not take what was used; the threads are ended.
        """
        try:
            await self.callers.write_last_used()
        finally:
            self.passwords.close()


async def open_identity(
    log: EventLog, keyring: KeyRing, options: IdentityOptions | None = None
) -> Identity:
    """Opens identity on a migrated database; makes the first signing key where there is none.

    Raises:
        SealForeign: The signing key was sealed under another secret.
        Unavailable: The database does not answer.
    """
    identity = Identity(log, keyring, options or IdentityOptions())
    try:
        await identity.signing_keys.load()
        await identity.passwords.prepare()
    except BaseException:
        identity.passwords.close()
        raise
    return identity
