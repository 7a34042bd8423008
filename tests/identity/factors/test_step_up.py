"""Critical actions on an account with a second factor want one that was shown just before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from homeport.identity.service.accounts import set_roles
from homeport.kernel.ids import new_id
from identity.app import STEP, Guarded, guarded, halfway, step_up, verify
from identity.conftest import Shift
from identity.door import PASSWORD, Door

# The rows that step-up reads are written on both databases by the tests beside this one.
pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)

CRITICAL: tuple[tuple[str, str, object], ...] = (
    (
        "POST",
        "/v1/auth/change-password",
        {"current_password": PASSWORD, "new_password": "velvet-comet-hums-4-sonnets"},
    ),
    ("POST", "/v1/auth/api-keys", {"name": "robot"}),
    ("DELETE", f"/v1/auth/api-keys/{new_id()}", None),
    ("POST", "/v1/user/profile/reset-api-key", None),
    ("POST", "/v1/auth/mfa/totp", None),
    ("POST", "/v1/auth/mfa/totp/confirm", {"code": "123456"}),
    ("DELETE", "/v1/auth/mfa/totp", None),
    ("POST", "/v1/auth/mfa/recovery-codes", None),
    ("DELETE", "/v1/user/profile?confirm=true", None),
)


async def _stale(door: Door, shift_clock: Shift) -> Guarded:
    """Somebody with an app whose device has shown it more than five minutes ago."""
    ada = await guarded(door, "ada")
    shift_clock(timedelta(minutes=5))
    return ada


async def test_critical_when_a_factor_was_not_shown_lately_then_it_is_asked_for(
    door: Door, shift_clock: Shift
) -> None:
    ada = await _stale(door, shift_clock)
    for method, path, body in CRITICAL:
        refused = await door.call(method, path, token=ada.person.access, json=body)
        assert (refused.status, refused.code) == (403, "auth.step-up-required"), path
        assert refused.json["methods"] == ["totp", "recovery"]
    assert (await door.me(ada.person.access)).status == 200
    assert (await door.login("ada")).code == "auth.mfa-required"  # nothing has changed


async def test_critical_when_a_factor_is_shown_then_it_is_open_for_five_minutes(
    door: Door, shift_clock: Shift
) -> None:
    ada = await _stale(door, shift_clock)
    token, path = ada.person.access, "/v1/auth/api-keys"
    assert (await step_up(door, token, ada.app.wrong())).code == "auth.code-refused"
    assert (await door.call("POST", path, token=token, json={"name": "a"})).status == 403
    assert (await step_up(door, token, ada.app.code())).status == 200
    assert (await door.call("POST", path, token=token, json={"name": "a"})).status == 201
    shift_clock(timedelta(minutes=4, seconds=59))
    assert (await door.call("POST", path, token=token, json={"name": "b"})).status == 201
    shift_clock(timedelta(seconds=1))
    assert (await door.call("POST", path, token=token, json={"name": "c"})).status == 403


async def test_step_up_when_one_device_shows_a_factor_then_another_is_not_verified(
    door: Door, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    shift_clock(STEP)
    other = await verify(door, await halfway(door, "ada"), ada.app.code())
    shift_clock(timedelta(minutes=5))
    assert (await step_up(door, ada.person.access, ada.app.code())).status == 200
    key = {"name": "robot"}
    path = "/v1/auth/api-keys"
    stale = await door.call("POST", path, token=other.json["access_token"], json=key)
    assert stale.code == "auth.step-up-required"
    assert (await door.call("POST", path, token=ada.person.access, json=key)).status == 201


async def test_step_up_when_it_is_recorded_then_the_log_says_who_where_and_how(
    door: Door, shift_clock: Shift
) -> None:
    ada = await _stale(door, shift_clock)
    await step_up(door, ada.person.access, ada.app.wrong())
    await step_up(door, ada.person.access, ada.recovery[0], method="recovery")
    refused, used = (await door.events(ada.person.id))[-2:]
    assert (refused.kind, used.kind) == ("second_factor.refused", "second_factor.used")
    assert b'"method":"recovery"' in used.payload
    assert b'"purpose":"step-up"' in used.payload
    assert b'"device_id"' in used.payload


async def test_key_when_the_account_has_a_factor_then_it_does_nothing_critical(door: Door) -> None:
    ada = await guarded(door, "ada")
    for method, path, body in CRITICAL:
        refused = await door.call(method, path, token=ada.person.api_key, json=body)
        assert (refused.status, refused.code) == (403, "auth.device-required"), path
    shown = await step_up(door, ada.person.api_key, ada.recovery[0], method="recovery")
    assert shown.code == "auth.device-required"
    assert (await door.me(ada.person.api_key)).status == 200


async def test_key_when_the_account_has_no_factor_then_it_cannot_add_one(door: Door) -> None:
    ada = await door.register("ada")
    refused = await door.call("POST", "/v1/auth/mfa/totp", token=ada.api_key)
    assert (refused.status, refused.code) == (403, "auth.device-required")
    made = await door.call("POST", "/v1/auth/api-keys", token=ada.api_key, json={"name": "b"})
    assert made.status == 201


async def test_step_up_when_there_is_no_factor_then_there_is_nothing_to_show(door: Door) -> None:
    ada = await door.register("ada")
    refused = await step_up(door, ada.access, "123456")
    assert (refused.status, refused.code) == (409, "mfa.none")


async def test_admin_when_a_factor_was_not_shown_lately_then_accounts_are_only_looked_at(
    door: Door, shift_clock: Shift
) -> None:
    bob = await door.register("bob")
    ada = await _stale(door, shift_clock)
    async with door.log.unit(f"account:{ada.person.id}", "system") as unit:
        await set_roles(unit, user_id=ada.person.id, roles=["admin"], actor="operator")
    door.identity.callers.forget_user(ada.person.id)
    invited = await door.call("POST", "/v1/auth/invitations", token=ada.person.access, json={})
    assert invited.code == "auth.step-up-required"
    path, body = f"/v1/auth/users/{bob.id}", {"is_active": False}
    assert (await door.call("GET", path, token=ada.person.access)).status == 200
    refused = await door.call("PATCH", path, token=ada.person.access, json=body)
    assert refused.code == "auth.step-up-required"
    await step_up(door, ada.person.access, ada.app.code())
    assert (await door.call("PATCH", path, token=ada.person.access, json=body)).status == 200


@pytest.mark.requirement("8")
async def test_device_when_lost_then_it_is_signed_out_without_a_code(
    door: Door, shift_clock: Shift
) -> None:
    ada = await _stale(door, shift_clock)
    devices = await door.call("GET", "/v1/auth/devices", token=ada.person.access)
    path = f"/v1/auth/devices/{devices.json['devices'][0]['id']}"
    assert (await door.call("DELETE", path, token=ada.person.access)).status == 204
    assert (await door.me(ada.person.access)).status == 401
