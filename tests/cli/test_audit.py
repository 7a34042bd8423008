"""`homeport audit`: what it says of a whole log, of a damaged one, and of none."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from homeport.cli.audit import app
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


def exports_and_verifies(server: Server, file: Path, anchors: Path) -> None:
    """The rounds with an export, in this process: it starts nothing that they need."""

    def homeport(*words: str) -> Result:
        return CliRunner().invoke(app, words, env=server.environment())

    made = homeport("export", "--output", str(file))
    assert (made.exit_code, made.stdout, file.stat().st_mode & 0o777) == (0, "", 0o600)
    told = json.loads(homeport("verify", "--file", str(file), "--json").stdout)
    assert (told["ok"], told["partial"], told["findings"]) == (True, False, [])
    file.write_bytes(file.read_bytes().replace(b"system", b"sysTem", 1))
    flipped = homeport("verify", "--file", str(file), "--anchor", str(anchors))
    assert (flipped.exit_code, "DAMAGED" in flipped.stdout) == (1, True)
    broken = file.with_name("broken.db")
    broken.write_bytes(b"SQLite format 3\0" + bytes(8_000))
    assert audit(server, "verify", "--database", str(broken)).returncode == 2
    file.write_text("another file\n")
    assert homeport("verify", "--file", str(file)).exit_code == 2
    assert homeport("verify", "--file", str(file), "--stream", "system").exit_code == 2
    part = homeport("export", "--stream", "system", "--since", "2026-01-01")
    assert '"stream":"system","since":1767225600000' in part.stdout
    assert homeport("export", "--since", "yesterday").exit_code == 2


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

    exports_and_verifies(server, server.data_dir / "log.jsonl", anchors)

    elsewhere = server.data_dir / "own.jsonl"  # beside the export, which is no anchor file
    elsewhere.write_bytes(anchors.read_bytes())
    server.settings["AUDIT_ANCHOR_FILE"] = str(elsewhere)
    named = audit(server, "verify", "--json")
    assert (named.returncode, json.loads(named.stdout)["anchors"] >= 1) == (0, True), named.stderr
    del server.settings["AUDIT_ANCHOR_FILE"]

    server.stop()
    with sqlite3.connect(server.data_dir / "homeport.db") as rows:  # cut all of it, and the seals
        for (name,) in rows.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            rows.execute(f"DROP TRIGGER {name}")
        for table in ("seal_heads", "seals", "event_payloads", "events", "streams"):
            rows.execute(f"DELETE FROM {table}")
    rows.close()
    cut = audit(server, "verify")
    assert cut.returncode == 1
    assert "DAMAGED seal 1: anchor: it is anchored and not among the seals" in cut.stdout

    none = audit(server, "verify", "--database", "/nowhere/\x1b[31mred.db")
    assert (none.returncode, none.stdout) == (2, "")
    assert "\x1b" not in none.stderr


@pytest.mark.requirement("60")
def test_inert_when_words_would_do_something_on_a_terminal_then_they_are_spelled_out() -> None:
    hostile = "eve\r\nroot signed in\x1b[2J\x07\u202e\x9b31m\u2028"
    assert inert(hostile) == "eve\\r\\nroot signed in\\x1b[2J\\x07\\u202e\\x9b31m\\u2028"
    assert inert("Grüße, 你好") == "Grüße, 你好"
