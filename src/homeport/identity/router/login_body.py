"""Reads a sign-in, which comes as JSON or as OAuth 2's form."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request

from homeport.identity.router.form_body import described, json_or_form
from homeport.identity.schemas import LoginBody, LoginForm

SIGN_IN_BODY: Final[dict[str, Any]] = described(LoginBody, LoginForm)


async def sign_in_body(request: Request) -> LoginBody | LoginForm:
    """The sign-in that `request` carries.

    Raises:
        RequestValidationError: It does not fit its schema.
        UnsupportedMedia: It is neither JSON nor a form.
    """
    return await json_or_form(request, json=LoginBody, form=LoginForm)
