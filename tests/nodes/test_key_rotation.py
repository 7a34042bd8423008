"""A rotation of the signing keys while people ask all the time: nobody is refused for it."""

from __future__ import annotations

import asyncio
import base64
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import aiohttp
import orjson
import pytest

from identity.door import PASSWORD
from nodes.pair import Pair
from support.client import ask
from support.commands import command
from support.server import MakeServer, Server

PEOPLE = 8
ASKED = 400
PATIENCE_S = 110
_numbers = count()


@dataclass
class People:
    """They refresh and ask, on whichever node, with the tokens that they have and had.

    Attributes:
        answers: How often which status came.
        tokens: By the id of the key that signed them, all that were given.
    """

    http: aiohttp.ClientSession
    servers: Sequence[Server]
    answers: Counter[int] = field(default_factory=Counter[int])
    tokens: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    withdrawn: set[str] = field(default_factory=set[str])

    def _address(self) -> str:
        return random.choice(self.servers).base_url

    async def live(self) -> None:
        """One of them, until the task is cancelled."""
        name = f"person{next(_numbers)}"
        account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        url = f"{self._address()}/v1/auth/register"
        made = await (await ask(self.http, "POST", url, json=account)).json()
        while True:
            self.tokens.setdefault(signer(made["access_token"]), []).append(made["access_token"])
            for kid, given in list(self.tokens.items()):
                for token in {given[-1], random.choice(given)}:
                    status = await self.status(self._address(), token)
                    if kid not in self.withdrawn:
                        self.answers[status] += 1
            body = {"refresh_token": made["refresh_token"]}
            answer = await ask(self.http, "POST", f"{self._address()}/v1/auth/refresh", json=body)
            assert answer.status == 200, await answer.text()
            made = await answer.json()

    async def status(self, address: str, token: str) -> int:
        """How `token` is answered by a node."""
        headers = {"Authorization": f"Bearer {token}"}
        return (await ask(self.http, "GET", f"{address}/v1/auth/me", headers=headers)).status

    async def until(self, kid: str) -> None:
        """Until somebody holds a token that this key has signed."""
        while kid not in self.tokens:
            await asyncio.sleep(0.05)

    async def until_refused(self, kid: str) -> None:
        """Until no node takes any token that this key has signed."""
        for server in self.servers:
            for token in self.tokens[kid][-PEOPLE:]:
                while await self.status(server.base_url, token) != 401:
                    await asyncio.sleep(0.1)


def signer(token: str) -> str:
    """The id of the key that signed `token`."""
    head = token.partition(".")[0]
    return orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


@pytest.fixture(params=["one", "two"])
def servers(request: pytest.FixtureRequest) -> Sequence[Server]:
    """One server on SQLite, or two on one PostgreSQL."""
    if request.param == "one":
        make: MakeServer = request.getfixturevalue("make_server")
        return [make()]
    pair: Pair = request.getfixturevalue("pair")
    return pair.nodes


@pytest.mark.faults
@pytest.mark.requirement("F31")
async def test_keys_when_rotated_under_load_then_no_token_is_refused_but_the_withdrawn(
    servers: Sequence[Server], http: aiohttp.ClientSession
) -> None:
    people = People(http, servers)
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        lives = [group.create_task(people.live()) for _ in range(PEOPLE)]
        (key,) = (await command(servers[0], "keys", "list"))["signing_keys"]
        old = key["id"]
        await people.until(old)
        _, key = (await command(servers[0], "keys", "rotate", "--now"))["signing_keys"]
        new = key["id"]
        await people.until(new)
        asked = people.answers.total()
        while people.answers.total() < asked + ASKED:
            await asyncio.sleep(0.1)
        people.withdrawn.add(old)
        await command(servers[0], "keys", "rotate", "--withdraw", old)
        await people.until_refused(old)
        for life in lives:
            life.cancel()
    assert set(people.answers) == {200}
    assert people.answers.total() > 2 * ASKED
