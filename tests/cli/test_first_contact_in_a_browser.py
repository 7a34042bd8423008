"""The one-time link, opened by the person who started the server."""

from __future__ import annotations

import json
import re

import aiohttp
import pytest

from support.browser import Page
from support.client import ask
from support.server import MakeServer

pytestmark = pytest.mark.browser

PASSWORD = "crimson-otter-plays-9-flutes"


async def fill_in(page: Page, password: str, repeated: str) -> None:
    values = json.dumps([password, repeated])
    await page.evaluate(f"""
        document.querySelectorAll("input[type=password]").forEach((input, place) => {{
            input.value = {values}[place];
        }});
        document.querySelector("button").click();
    """)


def shows(text: str) -> str:
    return f"document.body && document.body.innerText.includes({json.dumps(text)})"


async def test_link_when_opened_then_the_form_sets_the_password_once(
    page: Page, make_server: MakeServer, http: aiohttp.ClientSession
) -> None:
    server = make_server()
    link = re.search(r"http://\S+/setup\?token=\S+", server.said())
    assert link is not None
    await page.open(link[0])
    assert page.problems == []
    await fill_in(page, PASSWORD, "another-otter-plays-8-drums")
    await page.until(shows("The two passwords differ."))
    await fill_in(page, PASSWORD, PASSWORD)
    await page.until(shows("The password of admin is set"))
    login = {"username": "admin", "password": PASSWORD}
    answer = await ask(http, "POST", f"{server.base_url}/v1/auth/login", json=login)
    assert answer.status == 200
    await page.open(link[0])
    await page.until(shows("used up"))
    assert not [problem for problem in page.problems if "Content Security Policy" in problem]
