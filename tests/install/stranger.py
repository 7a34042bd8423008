"""Follows the README on a machine that has nothing else: starts the server by `make run`, and uses what it says.

Runs with the machine's own Python and nothing installed. Usage: stranger.py NAME [ARGUMENTS OF SERVE]
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request  # noqa: TID251 - a stranger has nothing else
from pathlib import Path

PATIENCE_S = 600.0
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
CURL = re.compile(r"^  try +(curl .*)$", re.MULTILINE)


def main(name: str, arguments: list[str]) -> None:
    """Starts, waits for the first answer, does what the banner says, ends.

    Raises:
        SystemExit: The server did not come up.
    """
    said = Path(f"/tmp/{name}.said")
    began = time.monotonic()
    with said.open("wb") as output:
        server = subprocess.Popen(
            ["make", "run", f"ARGS={shlex.join(arguments)}"],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _first_answer(server, said, began + PATIENCE_S)
        print(f"{name} start to first 200: {time.monotonic() - began:.1f} s")
        line = CURL.search(said.read_text("utf-8"))
        assert line is not None, said.read_text("utf-8")
        print(f"{name} start, its curl line: {_paste(line[1])}")
    finally:
        server.send_signal(signal.SIGTERM)
    assert server.wait(60) in {0, -signal.SIGTERM}, said.read_text("utf-8")


def _first_answer(server: subprocess.Popen[bytes], said: Path, deadline: float) -> None:
    while time.monotonic() < deadline and server.poll() is None:
        found = ADDRESS.search(said.read_text("utf-8"))
        if found is not None and _get(f"{found[0]}/livez"):
            return
        time.sleep(0.02)
    raise SystemExit(said.read_text("utf-8"))


def _get(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: TID251
            return answer.status == 200
    except OSError:
        return False


def _paste(line: str) -> str:
    """Does what curl would do with this line: a fresh machine has none."""
    words = iter(shlex.split(line)[1:])
    url, body, headers = "", None, dict[str, str]()
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words).encode()
        elif not word.startswith("-"):
            url = word
    request = urllib.request.Request(url, body, headers)  # noqa: TID251
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: TID251
        told = json.load(answer)
    return told["choices"][0]["message"]["content"] if "choices" in told else str(told["status"])


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main(sys.argv[1], sys.argv[2:])
