"""Authenticator apps: time-based one-time passwords (RFC 6238), each time step taken once.

A seed has 160 bits; a code has 6 digits and lasts 30 s. A clock that is one step early or late is
forgiven: a code is good for 90 s at the most, and a guess right with a chance of 3 in 1,000,000.
"""

from __future__ import annotations

import hmac
import io
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import segno
from pyotp import random_base32
from pyotp.hotp import HOTP
from pyotp.totp import TOTP
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.factors.errors import TotpEnabledAlready
from homeport.identity.factors.models import TotpFactor
from homeport.identity.sealed import TOTP_SEEDS
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import WriteSession
from homeport.kernel.ids import new_id

STEP_S: Final = 30
DRIFT_STEPS: Final = 1
SETUP_LIFETIME: Final = timedelta(minutes=15)
_SEED_CHARACTERS: Final = 32  # of 5 bits each
_CODE: Final = re.compile(r"[0-9]{6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TotpSetup:
    """What an authenticator app takes in, shown once: by hand, by a link, or as a picture."""

    secret: str = field(repr=False)
    otpauth_uri: str = field(repr=False)

    @property
    def qr_svg(self) -> str:
        """The link as a QR code: an SVG document, black on white in any theme."""
        picture = io.BytesIO()
        segno.make_qr(self.otpauth_uri, error="m").save(
            picture, kind="svg", scale=5, light="#fff", xmldecl=False, nl=False
        )
        return picture.getvalue().decode()


class Totp:
    """Makes seeds and tells which codes are right; a seed is open for that moment only."""

    def __init__(self, keyring: KeyRing) -> None:
        self._keyring = keyring

    async def begin(
        self, session: WriteSession, *, user_id: str, username: str, now: datetime
    ) -> TotpSetup:
        """A new seed of `user_id`, in the place of one that was not confirmed.

        Raises:
            TotpEnabledAlready: One is confirmed.
        """
        await session.execute(
            delete(TotpFactor).where(
                TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_(None)
            )
        )
        if await has_totp(session, user_id):
            raise TotpEnabledAlready
        secret, factor_id = random_base32(_SEED_CHARACTERS), new_id()
        session.add(
            TotpFactor(
                id=factor_id,
                user_id=user_id,
                seed_sealed=self._keyring.seal(
                    TOTP_SEEDS.purpose,
                    secret.encode(),
                    context=TOTP_SEEDS.context(user_id, factor_id),
                ),
                last_step=0,
                created_at=now,
                confirmed_at=None,
            )
        )
        uri = TOTP(secret).provisioning_uri(name=username, issuer_name="Homeport")
        return TotpSetup(secret, uri)

    async def confirm(
        self, session: WriteSession, factor: TotpFactor, *, code: str, now: datetime
    ) -> bool:
        """Makes `factor` count, if the code is right; this call and no other.

        Raises:
            SealBroken: The seed does not open: the server's secret is not the one it was.
        """
        step = self._step(factor, code, now)
        if step is None:
            return False
        confirmed = await session.execute(
            update(TotpFactor)
            .where(TotpFactor.id == factor.id, TotpFactor.confirmed_at.is_(None))
            .values(confirmed_at=now, last_step=step)
            .returning(TotpFactor.id)
            .execution_options(synchronize_session=False)
        )
        return confirmed.first() is not None

    async def spend(self, session: WriteSession, *, user_id: str, code: str, now: datetime) -> bool:
        """Whether `code` is right at `now`; its time step is used up by one conditional write.

        Raises:
            SealBroken: The seed does not open: the server's secret is not the one it was.
        """
        factor = await session.scalar(
            select(TotpFactor).where(
                TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_not(None)
            )
        )
        step = None if factor is None else self._step(factor, code, now)
        if factor is None or step is None:
            return False
        spent = await session.execute(
            update(TotpFactor)
            .where(TotpFactor.id == factor.id, TotpFactor.last_step < step)
            .values(last_step=step)
            .returning(TotpFactor.id)
            .execution_options(synchronize_session=False)
        )
        return spent.first() is not None

    def _step(self, factor: TotpFactor, code: str, now: datetime) -> int | None:
        """The time step that `code` belongs to; None when it is of none near `now`."""
        if not _CODE.fullmatch(code):
            return None
        context = TOTP_SEEDS.context(factor.user_id, factor.id)
        otp = HOTP(
            self._keyring.open(TOTP_SEEDS.purpose, factor.seed_sealed, context=context).decode()
        )
        present = int(now.timestamp()) // STEP_S
        steps = range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1)
        right = [step for step in steps if hmac.compare_digest(otp.at(step), code)]
        return max(right, default=None)


async def has_totp(session: AsyncSession, user_id: str) -> bool:
    """Whether `user_id` has an authenticator app that counts."""
    query = select(TotpFactor.id).where(
        TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_not(None)
    )
    return await session.scalar(query) is not None


async def find_setup(session: AsyncSession, user_id: str, *, now: datetime) -> TotpFactor | None:
    """The seed that waits to be confirmed, in its time."""
    return await session.scalar(
        select(TotpFactor).where(
            TotpFactor.user_id == user_id,
            TotpFactor.confirmed_at.is_(None),
            TotpFactor.created_at > now - SETUP_LIFETIME,
        )
    )


async def remove_totp(session: WriteSession, user_id: str) -> bool:
    """Removes the authenticator app of `user_id`; False when there was none that counted."""
    removed = await session.execute(
        delete(TotpFactor)
        .where(TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_not(None))
        .returning(TotpFactor.id)
        .execution_options(synchronize_session=False)
    )
    return removed.first() is not None
