"""What travels: bodies and answers of the routes of second factors."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, StringConstraints

from homeport.eventlog.catalogue.factor import FactorMethod
from homeport.identity.factors.proof import CodeMethod
from homeport.identity.factors.totp import TotpSetup
from homeport.identity.schemas import Body, Timestamp, TokenText

CodeText = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class ConfirmBody(Body):
    """The first code of an authenticator app."""

    code: CodeText


class StepUpBody(Body):
    """A code of the authenticator app, or a recovery code."""

    method: CodeMethod
    code: CodeText


class SecondFactorBody(StepUpBody):
    """What completes a sign-in whose password was right."""

    mfa_token: TokenText


class FactorsView(BaseModel):
    """The second factors of an account; `verified_until` is when this device is asked again."""

    enabled: bool
    methods: list[FactorMethod]
    recovery_codes_left: int
    verified_until: Timestamp | None


class TotpSetupView(BaseModel):
    """What an authenticator app takes in; shown this once."""

    secret: str
    otpauth_uri: str
    qr_svg: str

    @classmethod
    def of(cls, setup: TotpSetup) -> Self:
        """The setup as it travels."""
        return cls(secret=setup.secret, otpauth_uri=setup.otpauth_uri, qr_svg=setup.qr_svg)


class RecoveryCodesView(BaseModel):
    """Ten recovery codes; shown this once, each good once."""

    recovery_codes: list[str]


class TotpConfirmedView(BaseModel):
    """The authenticator app counts; with the first factor come recovery codes, shown this once."""

    recovery_codes: list[str] | None


class VerifiedUntilView(BaseModel):
    """This device has shown a second factor; critical actions are open to it until then."""

    verified_until: Timestamp
