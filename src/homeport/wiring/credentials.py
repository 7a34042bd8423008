"""Which routes take or give a credential: of each an address has a stricter quota of its own."""

from __future__ import annotations

from typing import Final

CREDENTIALS: Final = frozenset(
    {
        "GET /setup",
        "POST /setup",
        "POST /v1/auth/register",
        "POST /v1/auth/login",
        "POST /v1/auth/refresh",  # one that holds is counted under its token instead
        "POST /v1/auth/change-password",
        "POST /v1/auth/mfa/verify",
        "POST /v1/auth/mfa/step-up",
        "POST /v1/auth/mfa/totp",
        "POST /v1/auth/mfa/totp/confirm",
        "POST /v1/auth/mfa/recovery-codes",
        "POST /v1/auth/passkeys/login/options",
        "POST /v1/auth/passkeys/login/verify",
        "POST /v1/auth/passkeys/register/options",
        "POST /v1/auth/passkeys/register/verify",
        "POST /v1/auth/device/authorize",
        "POST /v1/auth/device/token",  # as refresh
        "POST /v1/auth/device/lookup",
        "POST /v1/auth/device/approve",
        "POST /v1/auth/api-keys",
        "POST /v1/auth/signing-keys",
        "POST /v1/auth/invitations",
        "POST /v1/user/profile/reset-api-key",
    }
)
"""None has an id in its path: a route is one string."""
