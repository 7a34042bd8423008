"""The contract's page, as a person in front of a browser has it."""

from __future__ import annotations

import json

import aiohttp
import pytest

from support.browser import Page
from support.client import ask
from support.server import Server

pytestmark = pytest.mark.browser

METHODS = {"get", "post", "put", "patch", "delete"}
SECTIONS = "document.querySelectorAll('section[data-name]').length"


async def opened(page: Page, server: Server, path: str) -> int:
    """Opens the page; returns how many operations it shows."""
    await page.open(server.base_url + path)
    return int(await page.until(SECTIONS))


async def try_out(page: Page, operation: str, *, key: str = "", body: object = None) -> None:
    """Fills in the form of one operation and sends it."""
    await page.evaluate(f"""
        document.getElementById("key").value = {json.dumps(key)};
        form = document.querySelector("#{operation} form");
        form.closest("details").open = true;
        text = {json.dumps(None if body is None else json.dumps(body))};
        if (text !== null) form.querySelector("textarea").value = text;
        form.querySelector("button[type=submit]").click();
    """)


def answer(operation: str) -> str:
    return f"document.querySelector('#{operation} .answer').textContent"


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_page_when_opened_then_every_operation_is_there_and_nothing_is_refused(
    page: Page, server: Server, http: aiohttp.ClientSession, path: str
) -> None:
    contract = await (await ask(http, "GET", f"{server.base_url}/openapi.json")).json()
    count = sum(len(METHODS & item.keys()) for item in contract["paths"].values())
    assert await opened(page, server, path) == count
    assert page.problems == []
    outside = [url for url in page.requested if not url.startswith((server.base_url, "data:"))]
    assert outside == []
    assert await page.evaluate("getComputedStyle(document.body).marginTop") == "0px"


async def test_page_when_a_script_stands_in_it_then_the_browser_refuses_it(
    page: Page, server: Server
) -> None:
    await opened(page, server, "/docs")
    await page.evaluate("""
        made = document.createElement("script");
        made.textContent = "window.injected = true";
        document.body.append(made);
    """)
    assert await page.evaluate("window.injected === undefined")
    assert any("Content Security Policy" in problem for problem in page.problems)


async def test_filter_when_typed_into_then_only_what_fits_is_shown(
    page: Page, server: Server
) -> None:
    await opened(page, server, "/docs")
    await page.evaluate("""
        filter = document.getElementById("filter");
        filter.value = "/LIVEZ";
        filter.dispatchEvent(new Event("input"));
    """)
    visible = "[...document.querySelectorAll('[data-name]')].filter((e) => e.offsetParent)"
    names = f"[...new Set({visible}.map((e) => e.dataset.name))]"
    assert await page.evaluate(names) == ["GET /livez"]


async def test_operation_when_tried_with_a_key_then_its_answer_is_shown(
    page: Page, server: Server
) -> None:
    await opened(page, server, "/docs")
    await try_out(page, "authentication_read_me", key=server.admin_key)
    shown = await page.until(
        f"{answer('authentication_read_me')}.includes('username') && "
        f"{answer('authentication_read_me')}"
    )
    assert '"username": "admin"' in shown
    assert '"Authorization: Bearer $KEY"' in shown
    assert server.admin_key not in shown
    assert page.problems == []


async def test_operation_when_it_streams_then_the_text_is_shown_to_its_end(
    page: Page, server: Server
) -> None:
    await opened(page, server, "/docs")
    body = {"messages": [{"role": "user", "content": "hello"}], "stream": True}
    await try_out(page, "chat_complete", key=server.admin_key, body=body)
    await page.until(f"{answer('chat_complete')}.includes('[DONE]')")
    assert page.problems == []


async def test_operation_when_refused_then_the_error_document_is_shown(
    page: Page, server: Server
) -> None:
    await opened(page, server, "/docs")
    await try_out(page, "authentication_read_me")
    await page.until(f"{answer('authentication_read_me')}.includes('urn:homeport:error:')")
