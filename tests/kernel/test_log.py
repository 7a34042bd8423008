"""A line of the log holds the fact, not the secret, and stays one line."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.kernel.log import REMOVED, remove_secrets, render_json, render_line

PROGRAM = """
import logging, structlog
from homeport.kernel.log import configure_log
configure_log("INFO", "json")
structlog.get_logger("ours").info("thing.done", password="hunter2", url="https://ada:pw@x/y")
logging.getLogger("theirs").warning("Bearer %s refused", "abcdefghijkl")
logging.getLogger("theirs").info("a %s", "fact")
structlog.get_logger("ours").debug("not.shown")
try:
    1 / 0
except ZeroDivisionError as error:
    structlog.get_logger("ours").error("thing.failed", exc_info=error)
"""


@pytest.mark.parametrize(
    "event",
    [
        {"password": "hunter2hunter2"},
        {"refresh_token": "hunter2hunter2"},
        {"headers": {"Authorization": "hunter2hunter2"}},
        {"items": [{"api_key": "hunter2hunter2"}]},
        {"note": "key ck_hunter2hunter2_x was refused"},
        {"note": "sk-ant-hunter2hunter2"},
        {"note": "Bearer hunter2hunter2"},
        {"note": "eyJhbGciOi.hunter2hunter2.sig"},
        {"path": "/v1/sessions/hpm_hunter2hunter2"},
        {"path": "/v1/auth/devices/hpd_hunter2hunter2"},
        {"url": "postgresql://ada:hunter2hunter2@host/name"},
        {"url": "redis://:hunter2hunter2@host/0"},
        {"url": "http://127.0.0.1:8000/setup?token=hunter2hunter2&x=1"},
        {"note": "GET /v1/ws?a=1&ticket=hunter2hunter2 HTTP/1.1"},
        {"url": "https://host/x?access_token=hunter2hunter2"},
        {"user_code": "hunter2hunter2"},
    ],
)
def test_remove_secrets_when_a_field_or_a_value_is_one_then_it_is_gone(
    event: dict[str, Any],
) -> None:
    cleaned = json.dumps(remove_secrets(None, "info", dict(event)))
    assert "hunter2" not in cleaned
    assert REMOVED in cleaned


def test_remove_secrets_when_a_name_only_sounds_like_one_then_it_stays() -> None:
    event = {"exit_code": 1, "status_code": "200", "input_tokens": 7, "code": "session.busy"}
    assert remove_secrets(None, "info", dict(event)) == event


@given(st.text(), st.text())
def test_render_line_when_values_are_anything_then_it_is_one_line(event: str, value: str) -> None:
    fields = {"timestamp": "2026-11-23T04:05:06.789Z", "level": "info", "event": event, "x": value}
    assert len(render_line(None, "info", fields).splitlines()) == 1


@given(st.dictionaries(st.text(), st.integers() | st.binary() | st.text()))
def test_render_json_when_values_are_anything_then_it_is_one_object(fields: dict[str, Any]) -> None:
    line = render_json(None, "info", fields)
    assert "\n" not in line
    assert isinstance(json.loads(line), dict)


def test_configure_log_when_ours_and_theirs_write_then_both_have_one_form() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert result.stdout == ""
    assert [line["event"] for line in lines] == [
        "thing.done",
        f"{REMOVED} refused",
        "a fact",
        "thing.failed",
    ]
    assert lines[0]["url"] == f"https://{REMOVED}@x/y"
    assert lines[1]["logger"] == "theirs"
    assert "ZeroDivisionError" in lines[3]["exception"]
    assert all(line["timestamp"].endswith("Z") for line in lines)


def test_configure_log_when_not_called_then_libraries_are_left_alone() -> None:
    assert logging.getLogger("homeport").handlers == []
