"""Signed requests through HTTP: an independent library signs, and whatever is altered is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import pytest
from yarl import URL

from homeport.eventlog import EventLog
from homeport.identity.opening import Identity, IdentityOptions, open_identity
from homeport.identity.signatures.enforcement import CRITICAL
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing
from homeport.wiring.routes import ROUTERS
from identity.conftest import Shift
from identity.door import PASSWORD, Door, Person, open_door
from identity.signatures.signer import COVERED, WITH_BODY, Signer
from readers.api import admin_of
from support.answer import Answer
from support.server import MakeServer
from support.sockets import desk

KEYS = "/v1/auth/signing-keys"


async def send(
    door: Door, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> Answer:
    """Exactly this request."""
    url = URL(door.base_url + path, encoded=True)
    async with door.http.request(method, url, headers=headers, data=body or None) as answer:
        return await Answer.of(answer)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def enrol(door: Door, token: str, signer: Signer, **options: Any) -> Answer:
    body = orjson.dumps({"name": "laptop", "public_key": signer.jwk})
    signed = signer.sign("POST", KEYS, bearer(token), body, **options)
    return await send(door, "POST", KEYS, signed, body)


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody whose API key works with signatures only."""

    person: Person
    signer: Signer
    key: str


@pytest.fixture
async def holder(door: Door) -> Holder:
    ada, signer = await door.register("ada"), Signer()
    assert (await enrol(door, ada.access, signer)).status == 201
    body = {"name": "phone", "signed_only": True}
    made = await door.call("POST", "/v1/auth/api-keys", token=ada.access, json=body)
    assert made.json["signed_only"]
    return Holder(ada, signer, made.json["api_key"])


async def test_key_when_added_then_its_possession_is_proven(door: Door) -> None:
    ada, signer = await door.register("ada"), Signer()
    body = {"name": "laptop", "public_key": signer.jwk}
    unsigned = await door.call("POST", KEYS, token=ada.access, json=body)
    assert (unsigned.status, unsigned.code) == (401, "auth.signature-required")
    assert unsigned.json["covers"] == list(COVERED)
    stolen = Signer()
    by_another = await enrol(door, ada.access, stolen, key_id=signer.key_id)
    assert (by_another.status, by_another.code) == (401, "auth.signature-refused")
    made = await enrol(door, ada.access, signer)
    assert made.status == 201
    assert made.json["keyid"] == signer.key_id
    again = await enrol(door, ada.access, signer)
    assert (again.status, again.code) == (409, "request-key.taken")
    listed = (await door.call("GET", KEYS, token=ada.access)).json
    assert listed["total"] == 1
    assert listed["signing_keys"][0]["last_used_at"] is not None
    eve = await door.register("eve")
    path = f"{KEYS}/{made.json['id']}"
    assert (await door.call("DELETE", path, token=eve.access)).status == 404
    assert (await door.call("DELETE", path, token=ada.access)).status == 204
    assert (await door.call("DELETE", path, token=ada.access)).status == 404
    kinds = await door.kinds(ada.id)
    assert kinds[-2:] == ["request_key.added", "request_key.removed"]


@pytest.mark.requirement("62")
async def test_request_when_signed_then_taken_once_on_any_node(
    door: Door, other_door: Door, holder: Holder
) -> None:
    for name, value in (("Authorization", f"Bearer {holder.key}"), ("X-API-Key", holder.key)):
        covered = ("@method", "@target-uri", name.lower())
        unsigned = await send(door, "GET", "/v1/auth/me", {name: value})
        assert (unsigned.status, unsigned.code) == (401, "auth.signature-required")
        signed = holder.signer.sign("GET", "/v1/auth/me?x=%20y", {name: value}, covered=covered)
        assert (await send(door, "GET", "/v1/auth/me?x=%20y", signed)).status == 200
        for node in (door, other_door):
            replayed = await send(node, "GET", "/v1/auth/me?x=%20y", signed)
            assert (replayed.status, replayed.code) == (401, "auth.signature-refused")
    assert (await door.me(holder.person.access)).status == 200  # it is the key's policy alone


@pytest.mark.requirement("62", "F24")
async def test_request_when_repeated_at_once_on_two_nodes_then_one_is_taken(
    door: Door, other_door: Door, holder: Holder
) -> None:
    signed = holder.signer.sign("GET", "/v1/auth/me", bearer(holder.key))
    nodes = (door, other_door) * 10
    answers = await asyncio.gather(*(send(node, "GET", "/v1/auth/me", signed) for node in nodes))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 19


@pytest.mark.requirement("62")
async def test_request_when_anything_is_altered_then_401(door: Door, holder: Holder) -> None:
    path, sent = "/v1/auth/me", bearer(holder.key)
    body = orjson.dumps({"preferences": {"theme": "dark"}})

    def good() -> dict[str, str]:
        return holder.signer.sign("PUT", path, sent, body)

    def swapped(name: str, old: str, new: str) -> dict[str, str]:
        signed = good()
        assert old in signed[name]
        return signed | {name: signed[name].replace(old, new)}

    created = str(int(clock.utc_now().timestamp()))[:9]
    altered: list[tuple[str, str, dict[str, str], bytes]] = [
        ("GET", path, good(), body),
        ("PUT", "/v1/user/profile", good(), body),
        ("PUT", f"{path}?a=b", good(), body),
        ("PUT", path, good(), body.replace(b"dark", b"DARK")),
        ("PUT", path, good(), b""),
        ("PUT", path, swapped("Signature-Input", f"created={created}", "created=123456789"), body),
        ("PUT", path, swapped("Signature-Input", 'nonce="', 'nonce="x'), body),
        ("PUT", path, swapped("Signature-Input", 'tag="homeport-v1"', 'tag="other"'), body),
        ("PUT", path, swapped("Signature-Input", '"@method" ', ""), body),
        ("PUT", path, swapped("Signature-Input", "sig1=", "sig2="), body),
        ("PUT", path, swapped("Signature", "sig1=:", "sig1=:AAAA"), body),
        ("PUT", path, swapped("Content-Digest", "sha-256=", "sha-512="), body),
        ("PUT", path, swapped("Content-Type", "json", "JSON"), body),
        ("PUT", path, good() | {"Content-Type": "application/json; charset=utf-8"}, body),
        ("PUT", path, good() | {"Content-Digest": ""}, body),
        ("PUT", path, good() | {"Signature-Input": ""}, body),
        ("PUT", path, good() | {"Signature": ""}, body),
        ("PUT", path, good() | {"Signature": "sig1=1"}, body),
    ]
    for method, target, headers, content in altered:
        answer = await send(door, method, target, headers, content)
        assert answer.status == 401, (method, target, headers)
    assert (await send(door, "PUT", path, good(), body)).status == 200
    assert (await door.me(holder.person.access)).json["preferences"] == {"theme": "dark"}


@pytest.mark.requirement("62")
async def test_request_when_its_signature_is_not_what_is_asked_for_then_401(
    door: Door, holder: Holder
) -> None:
    path, sent = "/v1/auth/me", bearer(holder.key)
    body = orjson.dumps({"preferences": {}})
    now = clock.utc_now()
    options: list[dict[str, Any]] = [
        {"created": now - timedelta(seconds=61)},
        {"created": now + timedelta(seconds=30)},
        {"life": timedelta(seconds=61)},
        {"life": timedelta(0)},
        {"nonce": "short"},
        {"nonce": "x" * 129},
        {"tag": "another"},
        {"key_id": "nobodys"},
        *(
            {"covered": [name for name in (*COVERED, *WITH_BODY) if name != left_out]}
            for left_out in (*COVERED, *WITH_BODY)
        ),
    ]
    for each in options:
        signed = holder.signer.sign("PUT", path, sent, body, **each)
        answer = await send(door, "PUT", path, signed, body)
        assert answer.status == 401, each
        assert answer.code.startswith("auth.signature-"), each
    stranger = Signer().sign("PUT", path, sent, body, key_id=holder.signer.key_id)
    assert (await send(door, "PUT", path, stranger, body)).status == 401
    eve, hers = await door.register("eve"), Signer()
    assert (await enrol(door, eve.access, hers)).status == 201
    foreign = hers.sign("PUT", path, sent, body)
    assert (await send(door, "PUT", path, foreign, body)).status == 401
    good = holder.signer.sign("PUT", path, sent, body)
    swapped = good | bearer(holder.person.api_key)  # needs no signature, and has none that holds
    assert (await send(door, "PUT", path, swapped, body)).status == 200
    assert (await send(door, "PUT", path, good, body)).status == 200


@pytest.mark.requirement("62")
async def test_nonce_when_minutes_have_passed_then_the_old_request_is_too_old(
    door: Door, holder: Holder, shift_clock: Shift
) -> None:
    signed = holder.signer.sign("GET", "/v1/auth/me", bearer(holder.key))
    assert (await send(door, "GET", "/v1/auth/me", signed)).status == 200
    shift_clock(timedelta(minutes=6))
    await door.identity.upkeep()  # forgets the nonce
    assert (await send(door, "GET", "/v1/auth/me", signed)).status == 401


async def test_key_when_made_with_a_signed_one_then_it_is_not_weaker(
    door: Door, holder: Holder
) -> None:
    path, body = "/v1/auth/api-keys", orjson.dumps({"name": "heir"})
    signed = holder.signer.sign("POST", path, bearer(holder.key), body)
    made = await send(door, "POST", path, signed, body)
    assert (made.status, made.json["signed_only"]) == (201, True)
    first = (await door.call("GET", KEYS, token=holder.person.access)).json["signing_keys"][0]
    gone = f"{KEYS}/{first['id']}"
    assert (await door.call("DELETE", gone, token=holder.person.access)).status == 204
    late = await enrol(door, made.json["api_key"], Signer())
    assert late.status == 401  # a signed-only key cannot bring its own signer


async def test_device_when_signed_only_then_a_signature_alone_ends_that(
    door: Door, holder: Holder
) -> None:
    ada, signer = holder.person, holder.signer
    listed = (await door.call("GET", "/v1/auth/devices", token=ada.access)).json["devices"]
    path = f"/v1/auth/devices/{listed[0]['id']}"
    on, off = (orjson.dumps({"signed_only": wanted}) for wanted in (True, False))
    told = await send(
        door, "PATCH", path, bearer(ada.access) | {"Content-Type": "application/json"}, on
    )
    assert (told.status, told.json["signed_only"]) == (200, True)
    assert (await door.me(ada.access)).status == 401
    elsewhere = (await door.login("ada")).json["access_token"]
    unsigned = bearer(elsewhere) | {"Content-Type": "application/json"}
    assert (await send(door, "PATCH", path, unsigned, off)).status == 401
    signed = signer.sign("PATCH", path, bearer(elsewhere), off)
    assert (await send(door, "PATCH", path, signed, off)).status == 200
    assert (await door.me(ada.access)).status == 200
    assert (await door.kinds(ada.id)).count("signature_policy.changed") == 2


async def test_still_valid_when_the_device_must_sign_meanwhile_then_false(
    door: Door, holder: Holder
) -> None:
    ada, callers = holder.person, door.identity.callers
    seen = await callers.identify(ada.access, keys_only=False)
    assert await callers.still_valid(seen)
    path, body = f"/v1/auth/devices/{seen.device_id}", {"signed_only": True}
    assert (await door.call("PATCH", path, token=ada.access, json=body)).status == 200
    assert not await callers.still_valid(seen)
    renewed = await callers.identify(ada.access, keys_only=False)
    assert await callers.still_valid(renewed)


@pytest.fixture
async def strict_door(log: EventLog, keyring: KeyRing, identity: Identity) -> AsyncIterator[Door]:
    """A server on which critical routes must be signed by everybody."""
    del identity  # only so that it made the signing key
    opened = await open_identity(log, keyring, IdentityOptions(signed_critical=True))
    async with open_door(log, opened) as strict:
        yield strict
    await opened.close()


@pytest.mark.requirement("62")
async def test_critical_route_when_the_server_says_so_then_nobody_gets_by_unsigned(
    strict_door: Door,
) -> None:
    door, first, second = strict_door, Signer(), Signer()
    ada = await door.register("ada")
    assert (await door.me(ada.access)).status == 200
    path = "/v1/auth/change-password"
    body = {"current_password": PASSWORD, "new_password": "a Walrus tunes 7 harps"}
    unsigned = await door.call("POST", path, token=ada.access, json=body)
    assert (unsigned.status, unsigned.code) == (401, "auth.signature-required")
    assert (await enrol(door, ada.access, first)).status == 201  # the first proves itself
    alone = await enrol(door, ada.access, second)
    assert (alone.status, alone.code) == (401, "auth.signature-refused")
    content = orjson.dumps({"name": "phone", "public_key": second.jwk})
    by_second = second.sign("POST", KEYS, bearer(ada.access), content, label="new")
    by_first = first.sign("POST", KEYS, bearer(ada.access), content, label="old")
    both = by_first | {
        name: f"{by_first[name]}, {by_second[name]}" for name in ("Signature", "Signature-Input")
    }
    assert (await send(door, "POST", KEYS, both, content)).status == 201
    raw = orjson.dumps(body)
    signed = second.sign("POST", path, bearer(ada.access), raw)
    assert (await send(door, "POST", path, signed, raw)).status == 200


async def test_device_when_critical_routes_are_signed_then_its_policy_can_be_ended(
    strict_door: Door,
) -> None:
    door, signer = strict_door, Signer()
    ada = await door.register("ada")
    assert (await enrol(door, ada.access, signer)).status == 201
    listed = (await door.call("GET", "/v1/auth/devices", token=ada.access)).json["devices"]
    path = f"/v1/auth/devices/{listed[0]['id']}"
    elsewhere = (await door.login("ada")).json["access_token"]
    for wanted in (True, False):
        body = orjson.dumps({"signed_only": wanted})
        signed = signer.sign("PATCH", path, bearer(elsewhere), body)
        told = await send(door, "PATCH", path, signed, body)
        assert (told.status, told.json["signed_only"]) == (200, wanted)


@pytest.mark.requirement("62")
async def test_sign_ins_when_critical_routes_are_signed_then_a_key_ends_all_with_a_signature_only(
    strict_door: Door,
) -> None:
    door, signer, path = strict_door, Signer(), "/v1/auth/logout-all"
    ada = await door.register("ada")
    assert (await enrol(door, ada.access, signer)).status == 201
    by_key = await door.call("POST", path, token=ada.api_key)
    assert (by_key.status, by_key.code) == (401, "auth.signature-required")
    assert (await door.me(ada.access)).status == 200
    signed = signer.sign("POST", path, bearer(ada.api_key))
    assert (await send(door, "POST", path, signed)).status == 200
    assert (await door.me(ada.access)).status == 401
    replayed = await send(door, "POST", path, signed)
    assert (replayed.status, replayed.code) == (401, "auth.signature-refused")
    again = (await door.login("ada")).json["access_token"]
    assert (await door.call("POST", path, token=again)).status == 200  # ends itself, too
    assert (await door.me(again)).status == 401


async def test_sign_ins_when_the_credential_signs_everything_then_none_ends_without(
    door: Door, holder: Holder
) -> None:
    for path in ("/v1/auth/logout", "/v1/auth/logout-all"):
        refused = await door.call("POST", path, token=holder.key)
        assert (refused.status, refused.code) == (401, "auth.signature-required")
        signed = holder.signer.sign("POST", path, bearer(holder.key))
        assert (await send(door, "POST", path, signed)).status == 200
    assert (await door.me(holder.person.access)).status == 401


async def test_server_when_critical_routes_are_signed_then_no_socket_is_a_way_around(
    make_server: MakeServer,
) -> None:
    server = make_server(REQUEST_SIGNATURES="critical")
    async with admin_of(server) as admin, desk(server.base_url, admin.headers) as socket:
        members = {"approval_id": "01a20692-6d7b-7141-8323-1ad66097cb6e", "decision": "approve"}
        refused = await socket.ask("approval.decide", **members)
        assert refused["error"]["code"] == "auth.signature-required"
        answer = await admin.call("POST", f"/v1/approvals/{members['approval_id']}", {})
        assert answer.code == "auth.signature-required"
        assert (await admin.call("GET", "/v1/auth/me")).status == 200
        made = await admin.post("/v1/sessions", {"permission_mode": "default"})
        for method, path, body in (
            ("POST", "/v1/projects", {"name": "loose"}),
            ("POST", "/v1/sessions", {"permission_mode": "accept_edits"}),
            ("POST", "/v1/sessions", {"permission_mode": "bypass"}),
            ("PATCH", f"/v1/sessions/{made['id']}", {"permission_mode": "accept_edits"}),
            ("PUT", f"/v1/sessions/{made['id']}", {"permission_mode": "bypass"}),
        ):
            answer = await admin.call(method, path, body)
            assert (answer.status, answer.code) == (401, "auth.signature-required"), (method, path)
        stricter = {"permission_mode": "plan"}
        changed = await admin.call("PATCH", f"/v1/sessions/{made['id']}", stricter)
        assert (changed.status, changed.json["permission_mode"]) == (200, "plan")


def test_critical_routes_then_each_is_one() -> None:
    routes = {
        f"{method} {getattr(route, 'path', '')}"
        for router in ROUTERS
        for route in router.routes
        for method in getattr(route, "methods", None) or ()
    }
    assert routes >= CRITICAL


async def test_request_when_no_policy_asks_then_a_signature_is_not_even_read(
    door: Door,
) -> None:
    ada = await door.register("ada")
    nonsense = bearer(ada.access) | {"Signature-Input": "(((", "Signature": "x"}
    assert (await send(door, "GET", "/v1/auth/me", nonsense)).status == 200
