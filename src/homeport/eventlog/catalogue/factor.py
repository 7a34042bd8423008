"""Facts of second factors, on `account:<id>`. No payload holds a code, a seed or a hash of one."""

from __future__ import annotations

from typing import Literal

from homeport.eventlog.catalogue.base import Event

FactorMethod = Literal["totp", "recovery", "passkey"]
FactorPurpose = Literal["sign-in", "step-up", "setup"]


class LoginChallenged(Event):
    """The password was right; the sign-in waits for one of `methods`."""

    kind = "login.challenged"

    methods: list[FactorMethod]
    address: str | None = None


class SecondFactorUsed(Event):
    """A second factor was shown and is used up; `device_id` is the sign-in that showed it."""

    kind = "second_factor.used"

    method: FactorMethod
    purpose: FactorPurpose
    device_id: str | None = None
    address: str | None = None


class SecondFactorRefused(Event):
    """A code was wrong, too old, or used before."""

    kind = "second_factor.refused"

    method: FactorMethod
    purpose: FactorPurpose
    address: str | None = None


class TotpEnabled(Event):
    """An authenticator app was confirmed with its first code."""

    kind = "totp.enabled"


class TotpRemoved(Event):
    """Its owner removed the authenticator app."""

    kind = "totp.removed"


class RecoveryCodesCreated(Event):
    """New recovery codes were shown; those from before ended."""

    kind = "recovery_codes.created"

    count: int


class SecondFactorsReset(Event):
    """The operator removed every second factor, for somebody who lost theirs."""

    kind = "second_factors.reset"

    methods: list[FactorMethod]
