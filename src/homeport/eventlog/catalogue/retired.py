"""Shapes that are no longer written: what a log from before holds stays readable."""

from __future__ import annotations

from typing import Literal

from homeport.eventlog.catalogue.base import Event


class LoginSucceededV1(Event):
    """Somebody signed in, when there were two ways to."""

    kind = "login.succeeded"

    device_id: str
    method: Literal["password", "registration"]
    address: str | None = None
    user_agent: str | None = None


class DeviceRevokedV1(Event):
    """A sign-in ended, when a change of second factors was no reason."""

    kind = "device.revoked"

    device_id: str
    reason: Literal[
        "logout",
        "logout-all",
        "revoked",
        "password-changed",
        "refresh-reused",
        "account-disabled",
        "account-deleted",
    ]
