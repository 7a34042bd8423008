"""What a start says must be true: its curl line, its key, and the way back in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from support.client import ask
from support.server import MakeServer


def line(said: str, label: str) -> str:
    found = re.search(rf"^  {label} +(.*)$", said, re.MULTILINE)
    assert found is not None, said
    return found[1]


@pytest.mark.skipif(shutil.which("curl") is None, reason="this machine has no curl")
def test_curl_line_when_pasted_then_the_model_answers(make_server: MakeServer) -> None:
    server = make_server(DEMO_PACE="0")
    pasted = subprocess.run(
        ["bash", "-c", line(server.said(), "try")], capture_output=True, check=True, timeout=60
    )
    assert json.loads(pasted.stdout)["choices"][0]["message"]["content"]


async def test_reset_when_told_by_a_later_start_then_it_gives_a_working_link(
    make_server: MakeServer, http: aiohttp.ClientSession
) -> None:
    server = make_server()
    server.restart()
    command = line(server.said(), "sign in").partition("? ")[2]
    reset = subprocess.run(
        ["bash", "-c", command],
        env=dict(server.environment()),
        capture_output=True,
        check=True,
        timeout=60,
        encoding="utf-8",
    )
    path = re.search(r"/setup\?token=\S+", reset.stdout)
    assert path is not None, reset.stdout
    answer = await ask(http, "GET", server.base_url + path[0])
    assert answer.status == 200


async def test_profile_when_read_then_it_counts_what_the_account_has_done(
    make_server: MakeServer, http: aiohttp.ClientSession
) -> None:
    server = make_server(DEMO_PACE="0")
    profile = f"{server.base_url}/v1/user/profile"
    before = await (await ask(http, "GET", profile, headers=server.admin)).json()
    assert (before["session_count"], before["message_count"]) == (0, 0)
    sessions = f"{server.base_url}/v1/sessions"
    made = await ask(http, "POST", sessions, headers=server.admin, json={})
    body = {
        "session_id": (await made.json())["id"],
        "messages": [{"role": "user", "content": "hello"}],
    }
    chat = f"{server.base_url}/v1/chat/completions"
    said = await ask(http, "POST", chat, headers=server.admin, json=body)
    assert said.status == 200
    after = await (await ask(http, "GET", profile, headers=server.admin)).json()
    assert (after["session_count"], after["message_count"]) == (1, 2)
    assert after["token_usage"]["total_tokens"] > 0


def test_help_when_read_then_every_command_is_named() -> None:
    command = Path(sys.executable).with_name("homeport")
    told = subprocess.run(
        [command, "--help"],
        env={"PATH": os.defpath, "COLUMNS": "100", "NO_COLOR": "1"},
        capture_output=True,
        check=True,
        timeout=60,
        encoding="utf-8",
    ).stdout
    named = re.findall(r"^\W*([a-z-]+)  ", told.partition("Commands")[2], re.MULTILINE)
    assert {"serve", "demo", "migrate", "pair", "user", "audit", "keys", "secrets"} <= set(named)
