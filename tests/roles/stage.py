"""People on a running server, each with one of everything that a server keeps for a person."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp

from identity.signatures.signer import Signer
from support.authenticator import Authenticator
from support.client import ask

UNSET_ORIGIN = "http://127.0.0.1:0"
"""Of a server that was told to take any free port."""
PASSWORD = "crimson-otter-plays-9-flutes"
PATIENCE_S = 30.0
LOOK_S = 0.05
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end."""

    status: int
    json: Any
    text: str

    @property
    def code(self) -> str | None:
        """The code of the error document."""
        try:
            return str(self.json["error"]["code"])
        except (KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Person:
    """An account and its ways in."""

    name: str
    id: str
    access: str
    refresh: str
    key: str


@dataclass(frozen=True, slots=True)
class Belongings:
    """One of everything, made by its owner.

    Attributes:
        canary: Stands in every text that the owner has written, and nowhere else.
        ids: By the name that paths use.
        key: An `Idempotency-Key` with which `session_id` was made.
        ticket: Unspent, for `session_id`.
    """

    canary: str
    ids: Mapping[str, str]
    key: str
    ticket: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A server and a client of it."""

    base_url: str
    http: aiohttp.ClientSession
    admin_key: str
    people: dict[str, Person] = field(default_factory=dict[str, Person])

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        as_: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Calls `path` with the credential `as_`; a stream is not read beyond its head."""
        sent = {**({"Authorization": f"Bearer {as_}"} if as_ else {}), **(headers or {})}
        if method == "WS":
            return await self._handshake(path, sent)
        url = self.base_url + path
        async with self.http.request(method, url, json=body, headers=sent) as answer:
            kind = answer.content_type
            if kind == "text/event-stream":
                return Reply(answer.status, None, "")
            text = (await answer.read()).decode(errors="replace")
            is_json = kind.endswith("json") and text
            return Reply(
                answer.status, await answer.json(content_type=None) if is_json else None, text
            )

    async def done(self, method: str, path: str, body: object = None, *, as_: str) -> Any:
        """What a call answers that has to succeed."""
        reply = await self.call(method, path, body, as_=as_)
        assert 200 <= reply.status < 300, (method, path, reply)
        return reply.json

    async def register(self, name: str) -> Person:
        """A new account."""
        unique = f"{name}-{uuid4().hex[:8]}"
        body = {"email": f"{unique}@example.com", "username": unique, "password": PASSWORD}
        told = (await self.call("POST", "/v1/auth/register", body)).json
        user = told["user"]
        person = Person(
            unique, user["id"], told["access_token"], told["refresh_token"], user["api_key"]
        )
        self.people[name] = person
        return person

    async def change(self, person: Person, **members: Any) -> None:
        """Changes an account as the admin."""
        await self.done("PATCH", f"/v1/auth/users/{person.id}", members, as_=self.admin_key)

    async def key(self, person: Person, **members: Any) -> str:
        """A new key of `person`'s."""
        body = {"name": "stage", **members}
        return (await self.done("POST", "/v1/auth/api-keys", body, as_=person.access))["api_key"]

    async def said(self, session_id: str, content: str, *, as_: str) -> str:
        """Says something and waits until the run has ended or waits for people; its id."""
        path = f"/v1/sessions/{session_id}/messages"
        run_id = (await self.done("POST", path, {"content": content}, as_=as_))["run_id"]
        async with asyncio.timeout(PATIENCE_S):
            while True:
                run = await self.done("GET", f"/v1/runs/{run_id}", as_=as_)
                if run["status"] not in {"queued", "running"}:
                    return run_id
                await asyncio.sleep(LOOK_S)

    async def settle(self, person: Person) -> Belongings:
        """Gives `person` one of everything."""
        canary, key = f"canary{uuid4().hex}", str(uuid4())
        await self.done("PUT", "/v1/auth/me", {"preferences": {"note": canary}}, as_=person.access)
        made = {"name": canary, "description": canary, "metadata": {"note": canary}}
        project_id = (await self.done("POST", "/v1/projects", made, as_=person.access))["id"]
        session = {
            "name": canary,
            "project_id": project_id,
            "system_prompt": canary,
            "permission_mode": "default",
            "metadata": {"note": canary},
        }
        headers = {"Idempotency-Key": key}
        reply = await self.call("POST", "/v1/sessions", session, as_=person.access, headers=headers)
        assert reply.status == 201, reply
        session_id = reply.json["id"]
        tool = {
            "tool_name": canary,
            "tool_type": "custom",
            "input_params": {"note": canary},
            "output": {"note": canary},
        }
        await self.done("POST", f"/v1/sessions/{session_id}/tools", tool, as_=person.access)
        run_id = await self.said(session_id, f"think about {canary}", as_=person.access)
        asking = (await self.done("POST", "/v1/sessions", session, as_=person.access))["id"]
        await self.said(asking, f"run: echo {canary}", as_=person.access)
        questions = await self.done("GET", "/v1/approvals?status=requested", as_=person.access)
        passkey_id = await self._passkey(person, canary)
        devices = (await self.done("GET", "/v1/auth/devices", as_=person.access))["devices"]
        named: dict[str, Any] = {"name": canary, "scopes": []}
        made_key = await self.done("POST", "/v1/auth/api-keys", named, as_=person.access)
        signing_key = await self.signing_key(person, canary)
        ticket = await self.done(
            "POST", "/v1/stream-tickets", {"session_id": session_id}, as_=person.access
        )
        invited = await self.done(
            "POST", "/v1/auth/invitations", {"note": canary}, as_=self.admin_key
        )
        ids = {
            "user_id": person.id,
            "invitation_id": invited["id"],
            "project_id": project_id,
            "session_id": session_id,
            "asking_session_id": asking,
            "run_id": run_id,
            "approval_id": questions["approvals"][0]["id"],
            "device_id": next(each["id"] for each in devices if not each["current"]),
            "key_id": made_key["id"],
            "passkey_id": passkey_id,
            "signing_key_id": signing_key,
            "seq": "1",
            "name": "reference.css",
            "model_id": "demo",
        }
        return Belongings(canary, ids, key, ticket["ticket"])

    async def _passkey(self, person: Person, name: str) -> str:
        """Gives `person` a passkey, and a second device that signed in with it; its id."""
        base, port = "/v1/auth/passkeys", urlsplit(self.base_url).port
        phone = Authenticator(f"http://localhost:{port}")
        asked = await self.done("POST", f"{base}/register/options", as_=person.access)
        made = {"credential": phone.create(asked["publicKey"]), "name": name}
        passkey = await self.done("POST", f"{base}/register/verify", made, as_=person.access)
        asked = (await self.call("POST", f"{base}/login/options")).json
        shown = {"credential": phone.get(asked["publicKey"])}
        headers = {"User-Agent": name}
        reply = await self.call("POST", f"{base}/login/verify", shown, headers=headers)
        assert reply.status == 200, reply
        return passkey["id"]

    async def signing_key(self, person: Person, name: str) -> str:
        """The id of a new key of `person` for signed requests."""
        path, signer = "/v1/auth/signing-keys", Signer(origin=UNSET_ORIGIN)
        body = {"name": name, "public_key": signer.jwk}
        sent = {"Authorization": f"Bearer {person.access}"}
        signed = signer.sign("POST", path, sent, json.dumps(body).encode())
        reply = await self.call("POST", path, body, headers=signed)
        assert reply.status == 201, reply
        return reply.json["id"]

    async def _handshake(self, path: str, headers: Mapping[str, str]) -> Reply:
        """What the handshake of a WebSocket answers; a socket that opens is closed."""
        try:
            async with self.http.ws_connect(self.base_url + path, headers=headers):
                return Reply(101, None, "")
        except aiohttp.WSServerHandshakeError:
            answer = await ask(
                self.http, "GET", self.base_url + path, headers={**headers, **HANDSHAKE}
            )
            return Reply(answer.status, await answer.json(content_type=None), await answer.text())
