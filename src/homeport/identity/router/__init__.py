"""The HTTP face of identity, by theme; `ROUTERS` is all of it."""

from fastapi import APIRouter

from homeport.identity.router import (
    api_keys,
    auth,
    devices,
    invitations,
    jwks,
    me,
    mfa,
    pairing,
    passkeys,
    profile,
    setup,
    signing_keys,
    tokens,
    users,
)

ROUTERS: tuple[APIRouter, ...] = (
    auth.router,
    tokens.router,
    me.router,
    mfa.router,
    pairing.router,
    passkeys.router,
    devices.router,
    api_keys.router,
    signing_keys.router,
    profile.router,
    users.router,
    invitations.router,
    setup.router,
    jwks.router,
)

__all__ = ["ROUTERS"]
