"""`homeport audit`: what it says of a whole log, of a damaged one, and of none."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time

import pytest

from homeport.cli.inert import inert
from support.server import MakeServer, Server


def audit(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "homeport", "audit", *words],
        env=server.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.requirement("60")
def test_verify_when_the_log_is_whole_cut_or_not_there_then_the_exit_code_says_so(
    make_server: MakeServer,
) -> None:
    server = make_server()
    anchors = server.data_dir / "anchors" / "seals.jsonl"
    deadline = time.monotonic() + 30
    while not (anchors.exists() and anchors.read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    whole = audit(server, "verify", "--json")  # beside the running server
    told = json.loads(whole.stdout)
    assert (whole.returncode, told["ok"], told["findings"]) == (0, True, [])
    assert told["seals"] == told["anchors"] >= 1
    assert told["events"] > 1

    server.stop()
    with sqlite3.connect(server.data_dir / "homeport.db") as rows:  # cut all of it, and the seals
        for (name,) in rows.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            rows.execute(f"DROP TRIGGER {name}")
        for table in ("seal_heads", "seals", "event_payloads", "events", "streams"):
            rows.execute(f"DELETE FROM {table}")
    rows.close()
    cut = audit(server, "verify")
    assert cut.returncode == 1
    assert "DAMAGED seal 1: anchor: it is anchored and not in the database" in cut.stdout

    none = audit(server, "verify", "--database", "/nowhere/\x1b[31mred.db")
    assert (none.returncode, none.stdout) == (2, "")
    assert "\x1b" not in none.stderr


@pytest.mark.requirement("60")
def test_inert_when_words_would_do_something_on_a_terminal_then_they_are_spelled_out() -> None:
    hostile = "eve\r\nroot signed in\x1b[2J\x07\u202e\x9b31m\u2028"
    assert inert(hostile) == "eve\\r\\nroot signed in\\x1b[2J\\x07\\u202e\\x9b31m\\u2028"
    assert inert("Grüße, 你好") == "Grüße, 你好"
