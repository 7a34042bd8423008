"""An authenticator app, and an account that uses one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from pyotp.hotp import HOTP

from homeport.kernel import clock
from identity.door import Door, Person
from support.answer import Answer

STEP = timedelta(seconds=30)


@dataclass(slots=True)
class App:
    """What a phone does with the link behind the QR code."""

    uri: str

    def code(self, *, off: timedelta = timedelta()) -> str:
        """What a phone whose clock is `off` shows now."""
        return self.code_at(clock.utc_now() + off)

    def code_at(self, moment: datetime) -> str:
        secret = parse_qs(urlsplit(self.uri).query)["secret"][0]
        return HOTP(secret).at(int(moment.timestamp()) // 30)

    def wrong(self) -> str:
        """A code that is not right now, nor was or will be within a minute."""
        near = {self.code(off=STEP * steps) for steps in range(-3, 4)}
        return next(code for code in map("{:06}".format, range(10)) if code not in near)


@dataclass(frozen=True, slots=True)
class Guarded:
    """Somebody with an app, signed in where it was set up."""

    person: Person
    app: App
    recovery: list[str]


async def begin(door: Door, token: str) -> App:
    answer = await door.call("POST", "/v1/auth/mfa/totp", token=token)
    assert answer.status == 201, answer.body
    return App(answer.json["otpauth_uri"])


async def confirm(door: Door, token: str, code: str) -> Answer:
    return await door.call("POST", "/v1/auth/mfa/totp/confirm", token=token, json={"code": code})


async def guarded(door: Door, name: str) -> Guarded:
    """Registers `name` and sets an app up; the code of this moment is used up by that."""
    person = await door.register(name)
    app = await begin(door, person.access)
    answer = await confirm(door, person.access, app.code())
    assert answer.status == 200, answer.body
    return Guarded(person, app, answer.json["recovery_codes"])


async def halfway(door: Door, name: str) -> str:
    """Signs in with the password; the `mfa_token` of the answer."""
    answer = await door.login(name)
    assert (answer.status, answer.code) == (401, "auth.mfa-required"), answer.body
    return answer.json["mfa_token"]


async def verify(door: Door, token: str, code: str, *, method: str = "totp") -> Answer:
    body = {"mfa_token": token, "method": method, "code": code}
    return await door.call("POST", "/v1/auth/mfa/verify", json=body)


async def step_up(door: Door, token: str, code: str, *, method: str = "totp") -> Answer:
    body = {"method": method, "code": code}
    return await door.call("POST", "/v1/auth/mfa/step-up", token=token, json=body)
