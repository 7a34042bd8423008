"""Passkeys in a real browser, with the authenticator that its DevTools bring (WebAuthn level 3, 11).

What our options say, the browser understands; what it answers, we take once; and an authenticator
that has not seen its owner gets nobody in, whatever a page asks it for.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from homeport.kernel.ids import new_id
from support.browser import Page
from support.server import Server

pytestmark = pytest.mark.browser

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
PAGE = """
globalThis.post = async (path, body, token) => {
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (token) headers["Authorization"] = "Bearer " + token;
    const more = {method: "POST", headers, body: JSON.stringify(body)};
    const answer = await fetch("/v1/auth/" + path, more);
    return {...await answer.json(), status: answer.status};
};
globalThis.made = async (token, wanted) => {
    const {publicKey} = await post("passkeys/register/options", undefined, token);
    const options = {...publicKey, ...wanted};
    const parsed = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    return (await navigator.credentials.create({publicKey: parsed})).toJSON();
};
globalThis.shown = async (wanted) => {
    const {publicKey} = await post("passkeys/login/options");
    const options = {...publicKey, ...wanted};
    const parsed = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return (await navigator.credentials.get({publicKey: parsed})).toJSON();
};
globalThis.stays = async () => {
    const {csrf_token} = await (await fetch("/v1/auth/csrf")).json();
    const more = {method: "POST", headers: {"X-CSRF-Token": csrf_token}};
    return (await fetch("/v1/auth/refresh", more)).status;
};
"""
UNSEEN = {"userVerification": "discouraged"}


async def call(page: Page, function: str, *arguments: Any) -> Any:
    """What a function of the page returns; None is what JavaScript calls undefined."""
    told = ", ".join("undefined" if each is None else json.dumps(each) for each in arguments)
    return await page.evaluate(f"{function}({told})")


async def authenticator(page: Page, **otherwise: bool) -> str:
    options = AUTHENTICATOR | otherwise
    made = await page.call("WebAuthn.addVirtualAuthenticator", options=options)
    return str(made["authenticatorId"])


async def registered(page: Page, server: Server) -> str:
    """Somebody's access token, in a page at the name that passkeys are bound to."""
    await page.open(f"http://localhost:{urlsplit(server.base_url).port}/docs")
    await page.evaluate(PAGE)
    await page.call("WebAuthn.enable")
    body = {"email": f"{new_id()}@example.com", "password": "crimson-otter-plays-9-flutes"}
    answer = await call(page, "post", "register", body)
    assert answer["status"] == 201, answer
    return str(answer["access_token"])


@pytest.mark.requirement("13")
async def test_passkey_when_a_browser_makes_it_then_it_signs_in_once_for_each_question(
    page: Page, server: Server
) -> None:
    token, device = await registered(page, server), await authenticator(page)
    body = {"credential": await call(page, "made", token), "name": "laptop"}
    added = await call(page, "post", "passkeys/register/verify", body, token)
    assert (added["status"], added["name"], len(added["recovery_codes"])) == (201, "laptop", 10)
    again = await call(page, "post", "passkeys/register/verify", body, token)
    assert (again["status"], again["error"]["code"]) == (422, "passkey.unfit")

    body = {"credential": await call(page, "shown")}
    signed_in = await call(page, "post", "passkeys/login/verify?cookie=true", body)
    assert (signed_in["status"], signed_in["refresh_token"]) == (200, None)
    listed = await call(page, "post", "verify-token", None, signed_in["access_token"])
    assert listed["user_id"] == signed_in["user"]["id"]
    again = await call(page, "post", "passkeys/login/verify", body)
    assert (again["status"], again["error"]["code"]) == (401, "passkey.refused")
    assert await call(page, "stays") == 200  # by its cookie, on the name that passkeys want

    await page.call("WebAuthn.setUserVerified", authenticatorId=device, isUserVerified=False)
    allowed = [{"id": body["credential"]["id"], "type": "public-key"}]
    unseen = await call(page, "shown", UNSEEN | {"allowCredentials": allowed})
    refused = await call(page, "post", "passkeys/login/verify", {"credential": unseen})
    assert (refused["status"], refused["error"]["code"]) == (401, "passkey.refused")
    await page.call("WebAuthn.removeVirtualAuthenticator", authenticatorId=device)
    await authenticator(page, hasUserVerification=False, isUserVerified=False)
    token = signed_in["access_token"]
    body = {"credential": await call(page, "made", token, {"authenticatorSelection": UNSEEN})}
    refused = await call(page, "post", "passkeys/register/verify", body, token)
    assert (refused["status"], refused["error"]["code"]) == (422, "passkey.unfit")
