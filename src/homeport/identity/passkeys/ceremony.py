"""The two ceremonies of WebAuthn (level 3, sections 7.1 and 7.2), as this server holds them.

A challenge has 256 bits, is answered once, within five minutes. Origin and relying party are
compared exactly. The authenticator must have verified its owner (a finger, a face, a PIN): then a
passkey is two factors, what somebody has and what they are or know.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Final, Literal
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, delete, func, select

from homeport.identity.opaque import hashed
from homeport.identity.passkeys.errors import TooManyChallenges
from homeport.identity.passkeys.models import PasskeyChallenge
from homeport.kernel import clock
from homeport.kernel.db import WriteSession

LIFETIME: Final = timedelta(minutes=5)
MOST_WAITING: Final = 10_000
MOST_OF_A_NETWORK: Final = 100
MOST_OF_AN_ACCOUNT: Final = 20
_CHALLENGE_BYTES: Final = 32
_LOOPBACK: Final = "localhost"
Purpose = Literal["register", "login"]


@dataclass(frozen=True, slots=True)
class Credential:
    """A key pair that an authenticator has made: what is kept of it."""

    id: bytes
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who an authenticator is asked by: the host of `PUBLIC_URL`, `localhost` without one.

    Attributes:
        pages: Other origins whose pages may ask; those on another host are none.
    """

    public_url: str | None
    pages: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The host name that credentials are bound to."""
        return urlsplit(self.public_url or "").hostname or _LOOPBACK

    def origins(self, port: int) -> list[str]:
        """Exactly those pages whose answers are taken; `port` is where this server listens."""
        if self.public_url is not None:
            parts = urlsplit(self.public_url)
            return [f"{parts.scheme}://{parts.netloc}"]
        near = [page for page in self.pages if urlsplit(page).hostname == _LOOPBACK]
        return [f"http://{_LOOPBACK}:{port}", *near]


async def login_challenge(session: WriteSession, *, network: str | None) -> bytes:
    """A challenge for whoever signs in.

    Args:
        network: Where the request comes from; None is not counted.

    Raises:
        TooManyChallenges: A hundred of the network wait, or ten thousand in all.
    """
    if network is not None:
        near = PasskeyChallenge.network == network
        await _refuse_more(session, near, most=MOST_OF_A_NETWORK)
    return await _new_challenge(session, purpose="login", network=network)


async def registration_challenge(session: WriteSession, *, user_id: str) -> bytes:
    """A challenge for a passkey of `user_id`.

    Raises:
        TooManyChallenges: Twenty of the account wait, or ten thousand in all.
    """
    await _refuse_more(session, PasskeyChallenge.user_id == user_id, most=MOST_OF_AN_ACCOUNT)
    return await _new_challenge(session, purpose="register", user_id=user_id)


async def _refuse_more(session: WriteSession, *which: ColumnElement[bool], most: int) -> None:
    waiting = select(func.count()).where(PasskeyChallenge.expires_at > clock.utc_now(), *which)
    if (await session.scalar(waiting) or 0) >= most:
        raise TooManyChallenges(retry_after=60)


async def _new_challenge(
    session: WriteSession,
    *,
    purpose: Purpose,
    user_id: str | None = None,
    network: str | None = None,
) -> bytes:
    """A challenge to be answered once.

    Raises:
        TooManyChallenges: Ten thousand wait.
    """
    await _refuse_more(session, most=MOST_WAITING)
    challenge = secrets.token_bytes(_CHALLENGE_BYTES)
    session.add(
        PasskeyChallenge(
            challenge_hash=hashed(challenge.hex()),
            purpose=purpose,
            user_id=user_id,
            network=network,
            expires_at=clock.utc_now() + LIFETIME,
        )
    )
    return challenge


async def spend_challenge(
    session: WriteSession, challenge: bytes, *, purpose: Purpose, user_id: str | None
) -> bool:
    """Whether `challenge` was given out for this and is unanswered; one write uses it up."""
    owner = PasskeyChallenge.user_id
    spent = await session.execute(
        delete(PasskeyChallenge)
        .where(
            PasskeyChallenge.challenge_hash == hashed(challenge.hex()),
            PasskeyChallenge.purpose == purpose,
            owner.is_(None) if user_id is None else owner == user_id,
            PasskeyChallenge.expires_at > clock.utc_now(),
        )
        .returning(PasskeyChallenge.purpose)
        .execution_options(synchronize_session=False)
    )
    return spent.first() is not None


async def library_loaded() -> None:
    """Loads what checks signatures beside the event loop: it takes a fifth of a second, once."""
    await asyncio.to_thread(import_module, "homeport.identity.passkeys.library")
