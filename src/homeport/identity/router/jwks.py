"""The public keys of access tokens (RFC 7517), for whoever verifies them elsewhere."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from homeport.identity.router.provided import Keys

router = APIRouter(tags=["authentication"])


@router.get("/.well-known/jwks.json")
async def read_jwks(keys: Keys, response: Response) -> dict[str, Any]:
    """The JSON Web Key Set."""
    response.headers["cache-control"] = "public, max-age=300"
    return keys.published()
