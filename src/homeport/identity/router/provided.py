"""What identity's endpoints ask wiring for, by type."""

from __future__ import annotations

from typing import Annotated

from homeport.eventlog import EventLog
from homeport.identity.access import Caller, needs
from homeport.identity.access_tokens import AccessTokens
from homeport.identity.activity import Activity
from homeport.identity.authenticator import Authenticator
from homeport.identity.factors.guessing import CodeGuard
from homeport.identity.factors.step_up import needs_verified
from homeport.identity.factors.totp import Totp
from homeport.identity.guard import Guard
from homeport.identity.mint import TokenMint
from homeport.identity.pairing.guessing import PairingGuard
from homeport.identity.passkeys.ceremony import RelyingParty
from homeport.identity.passwords import Passwords
from homeport.identity.public_address import PublicAddress
from homeport.identity.refresh_cookie import RefreshCookies
from homeport.identity.registration import Registration
from homeport.identity.roles import ACCOUNT_MANAGE, USERS_MANAGE, USERS_READ
from homeport.identity.signatures.enforcement import Signatures
from homeport.identity.signing_keys import SigningKeys
from homeport.identity.work import Work
from homeport.kernel.crypto import KeyRing
from homeport.kernel.http.provide import provided

Cookies = Annotated[RefreshCookies, provided(RefreshCookies)]
Log = Annotated[EventLog, provided(EventLog)]
Hashing = Annotated[Passwords, provided(Passwords)]
Mint = Annotated[TokenMint, provided(TokenMint)]
Tokens = Annotated[AccessTokens, provided(AccessTokens)]
Live = Annotated[Authenticator, provided(Authenticator)]
Keys = Annotated[SigningKeys, provided(SigningKeys)]
Guarding = Annotated[Guard, provided(Guard)]
GuardingCodes = Annotated[CodeGuard, provided(CodeGuard)]
GuardingPairings = Annotated[PairingGuard, provided(PairingGuard)]
Registering = Annotated[Registration, provided(Registration)]
Ring = Annotated[KeyRing, provided(KeyRing)]
Party = Annotated[RelyingParty, provided(RelyingParty)]
Public = Annotated[PublicAddress, provided(PublicAddress)]
Apps = Annotated[Totp, provided(Totp)]
Signed = Annotated[Signatures, provided(Signatures)]
Figures = Annotated[Activity, provided(Activity)]
Working = Annotated[Work, provided(Work)]

AccountOwner = Annotated[Caller, needs_verified(ACCOUNT_MANAGE)]
"""The caller, with a credential that may change what proves who they are.

On an account with a second factor that is a device which has shown one within five minutes.
"""

OwnDevices = Annotated[Caller, needs(ACCOUNT_MANAGE)]
"""The caller, who may sign devices out: whoever lost one does that first."""

DeviceOwner = Annotated[Caller, needs_verified(ACCOUNT_MANAGE, device=True)]
"""The caller as `AccountOwner`, with a device: what a key lets in would outlive the key."""

FactorOwner = Annotated[Caller, needs_verified(ACCOUNT_MANAGE, device=True, fresh=True)]
"""The caller as `AccountOwner`, signed in just now: what a key adds could lock its owner out."""

Overseer = Annotated[Caller, needs(USERS_READ)]
"""The caller, who may look at accounts."""

Manager = Annotated[Caller, needs_verified(USERS_MANAGE)]
"""The caller, who may change accounts; a second factor is shown as for `AccountOwner`."""
