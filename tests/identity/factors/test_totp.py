"""Authenticator apps: set up, shown once, and each time step taken once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import select

from homeport.identity.factors.models import TotpFactor
from homeport.identity.opening import Identity
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing, SealBroken
from identity.app import STEP, App, begin, confirm, guarded, halfway, step_up, verify
from identity.conftest import Shift
from identity.door import Door

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
"""What is the same on both databases: the writes that differ have tests beside these."""


@on_sqlite
async def test_setup_when_begun_then_the_app_gets_a_link_a_picture_and_nothing_counts_yet(
    door: Door,
) -> None:
    ada = await door.register("ada")
    answer = await door.call("POST", "/v1/auth/mfa/totp", token=ada.access)
    told = answer.json
    assert len(told["secret"]) * 5 == 160
    assert told["otpauth_uri"] == (
        f"otpauth://totp/Homeport:ada?secret={told['secret']}&issuer=Homeport"
    )
    picture = ET.fromstring(told["qr_svg"])
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert (await door.login("ada")).status == 200
    state = await door.call("GET", "/v1/auth/mfa", token=ada.access)
    assert state.json == {
        "enabled": False,
        "methods": [],
        "recovery_codes_left": 0,
        "verified_until": None,
    }


@pytest.mark.requirement("59")
async def test_seed_when_stored_then_it_is_sealed_and_opens_in_its_own_row_only(
    door: Door, keyring: KeyRing
) -> None:
    ada, bob = await door.register("ada"), await door.register("bob")
    secrets = [
        (await door.call("POST", "/v1/auth/mfa/totp", token=person.access)).json["secret"]
        for person in (ada, bob)
    ]
    async with door.log.database.read() as session:
        first, second = (await session.scalars(select(TotpFactor).order_by(TotpFactor.id))).all()
    for row in (first, second):
        assert not any(secret.encode() in row.seed_sealed for secret in secrets)
    context = ("totp_factors", "seed_sealed", first.user_id, first.id)
    assert keyring.open("totp-seeds", first.seed_sealed, context=context) == secrets[0].encode()
    with pytest.raises(SealBroken):
        keyring.open("totp-seeds", second.seed_sealed, context=context)


@on_sqlite
async def test_setup_when_confirmed_then_the_password_alone_opens_nothing(door: Door) -> None:
    ada = await guarded(door, "ada")
    answer = await door.login("ada")
    assert (answer.status, answer.code) == (401, "auth.mfa-required")
    assert answer.json["methods"] == ["totp", "recovery"]
    assert "access_token" not in answer.json
    kinds = await door.kinds(ada.person.id)
    assert kinds[-3:] == ["totp.enabled", "recovery_codes.created", "login.challenged"]


@on_sqlite
async def test_setup_when_confirmed_then_every_other_device_is_signed_out(door: Door) -> None:
    ada = await door.register("ada")
    other = (await door.login("ada")).json["access_token"]
    app = await begin(door, ada.access)
    assert (await confirm(door, ada.access, app.code())).status == 200
    assert (await door.me(other)).status == 401
    assert (await door.me(ada.access)).status == 200
    assert (await door.me(ada.api_key)).status == 200


@on_sqlite
async def test_setup_when_the_code_is_wrong_or_late_then_nothing_counts(
    door: Door, shift_clock: Shift
) -> None:
    ada = await door.register("ada")
    missing = await confirm(door, ada.access, "000000")
    assert (missing.status, missing.code) == (404, "mfa.setup-not-found")
    app = await begin(door, ada.access)
    for code in (app.wrong(), "12345", "١٢٣٤٥٦"):
        refused = await confirm(door, ada.access, code)
        assert (refused.status, refused.code) == (401, "auth.code-refused"), code
    shift_clock(timedelta(minutes=15))
    fresh = (await door.login("ada")).json["access_token"]
    assert (await confirm(door, fresh, app.code())).status == 404


@on_sqlite
async def test_setup_when_the_device_signed_in_long_ago_then_it_has_to_sign_in_again(
    door: Door, shift_clock: Shift
) -> None:
    ada = await door.register("ada")
    shift_clock(timedelta(minutes=5))
    for path in ("mfa/totp", "passkeys/register/options"):
        refused = await door.call("POST", f"/v1/auth/{path}", token=ada.access)
        assert (refused.status, refused.code) == (403, "auth.sign-in-required")
    fresh = (await door.login("ada")).json["access_token"]
    assert (await confirm(door, fresh, (await begin(door, fresh)).code())).status == 200


@on_sqlite
async def test_setup_when_begun_twice_then_only_the_second_seed_confirms_and_a_third_conflicts(
    door: Door,
) -> None:
    ada = await door.register("ada")
    old, new = await begin(door, ada.access), await begin(door, ada.access)
    assert (await confirm(door, ada.access, old.code())).status == 401
    assert (await confirm(door, ada.access, new.code())).status == 200
    again = await door.call("POST", "/v1/auth/mfa/totp", token=ada.access)
    assert (again.status, again.code) == (409, "mfa.totp-enabled")


@pytest.mark.requirement("9")
@on_sqlite
async def test_code_when_it_confirmed_the_setup_then_it_does_not_sign_in(
    door: Door, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    token = await halfway(door, "ada")
    assert (await verify(door, token, ada.app.code())).code == "auth.code-refused"
    shift_clock(STEP)
    answer = await verify(door, token, ada.app.code())
    assert answer.status == 200
    assert (await door.me(answer.json["access_token"])).json["username"] == "ada"
    assert answer.json["user"]["id"] == ada.person.id


@pytest.mark.requirement("9")
@on_sqlite
async def test_code_when_the_phone_is_early_or_late_then_one_step_is_forgiven(
    door: Door, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    for seconds, taken in ((-61, False), (61, False), (-29, True), (29, True)):
        shift_clock(STEP * 3)
        token = await halfway(door, "ada")
        answer = await verify(door, token, ada.app.code(off=timedelta(seconds=seconds)))
        assert (answer.status == 200) is taken, (seconds, answer.body)


@pytest.mark.requirement("9")
@on_sqlite
async def test_code_when_an_older_one_comes_after_a_newer_one_then_it_is_refused(
    door: Door, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    shift_clock(STEP * 3)
    older, newer = ada.app.code(off=-STEP), ada.app.code()
    assert (await step_up(door, ada.person.access, newer)).status == 200
    assert (await step_up(door, ada.person.access, older)).code == "auth.code-refused"
    assert (await step_up(door, ada.person.access, newer)).code == "auth.code-refused"


@pytest.mark.requirement("9")
async def test_code_when_shown_a_hundred_times_at_once_then_it_counts_once(
    door: Door, identity: Identity, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    shift_clock(STEP * 2)
    code, now = ada.app.code(), clock.utc_now()

    async def spend() -> bool:
        async with door.log.database.write() as session:  # without the lock that a unit takes
            return await identity.totp.spend(session, user_id=ada.person.id, code=code, now=now)

    taken = await asyncio.gather(*(spend() for _ in range(100)))
    assert sum(taken) == 1


@pytest.mark.requirement("9")
async def test_code_when_several_sign_ins_show_it_at_once_then_one_is_completed(
    door: Door, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    shift_clock(STEP * 2)
    tokens = [await halfway(door, "ada") for _ in range(4)]
    code = ada.app.code()
    answers = await asyncio.gather(*(verify(door, token, code) for token in tokens * 5))
    assert [answer.status for answer in answers].count(200) == 1
    assert (await door.kinds(ada.person.id)).count("login.succeeded") == 2


@on_sqlite
async def test_totp_when_removed_then_the_password_signs_in_and_the_codes_are_gone(
    door: Door,
) -> None:
    ada = await guarded(door, "ada")
    removed = await door.call("DELETE", "/v1/auth/mfa/totp", token=ada.person.access)
    assert removed.status == 204
    assert (await door.login("ada")).status == 200
    state = (await door.call("GET", "/v1/auth/mfa", token=ada.person.access)).json
    assert (state["methods"], state["recovery_codes_left"]) == ([], 0)
    again = await door.call("DELETE", "/v1/auth/mfa/totp", token=ada.person.access)
    assert (again.status, again.code) == (404, "mfa.totp-not-found")
    assert "totp.removed" in await door.kinds(ada.person.id)


def test_app_when_asked_for_a_wrong_code_then_it_is_none_of_the_near_ones() -> None:
    app = App("otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    assert app.wrong() != app.code()
