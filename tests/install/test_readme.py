"""The README's commands work as they stand there."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.server import MakeServer

README = Path(__file__).parents[2] / "README.md"
PATIENCE_S = 60

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="this machine has no curl")


def block(containing: str) -> str:
    """The one block of shell in the README that contains this."""
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [each for each in blocks if containing in each]
    return found


@asynccontextmanager
async def shell(script: str, folder: Path) -> AsyncGenerator[asyncio.StreamReader]:
    """What `script` prints, while it runs; it is ended as by Ctrl-C.

    By SIGTERM: whoever is started in the background of a script ignores SIGINT.
    """
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", script, stdout=asyncio.subprocess.PIPE, cwd=folder, start_new_session=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        await process.communicate()


async def until(output: asyncio.StreamReader, wanted: str) -> str:
    """Reads until a line matches `wanted`, and returns everything that was read."""
    said = ""
    async with asyncio.timeout(PATIENCE_S):
        while line := (await output.readline()).decode():
            said += line
            if re.search(wanted, line):
                return said
    raise AssertionError(said)


async def test_main_job_when_followed_in_a_repository_then_the_command_is_run_after_the_yes(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(DEMO_PACE="0")
    repository = tmp_path / "a repository of mine"
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-C", str(repository)]
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "Ahoy"], check=True)

    first = block("PROJECT=$(").replace("http://127.0.0.1:8000", server.base_url)
    first = first.replace("ck_...", server.admin_key)
    stream = 'call "/v1/sessions/$SESSION/stream'
    async with shell(first.replace(stream, f"declare -p SESSION; {stream}"), repository) as output:
        said = await until(output, r"^data: .*\"kind\":\"run\.paused\"")
    found = re.search(r'"kind":"approval\.requested".*?"approval_id":"([^"]+)"', said)
    assert found is not None, said
    last = re.findall(r"^id: (.+)$", said, re.MULTILINE)[-1]

    session = re.search(r"^declare .*$", said, re.MULTILINE)
    definitions = "\n".join(line for line in first.splitlines() if "() {" in line or "KEY=" in line)
    again = block("APPROVAL_ID").replace("APPROVAL_ID", found[1]).replace("LAST_ID", last)
    assert session is not None, said
    async with shell(f"{definitions}\n{session[0]}\n{again}", repository) as output:
        said = await until(output, r"\"kind\":\"run\.finished\"")
    assert "Ahoy" in said
    assert '"kind":"approval.requested"' not in said
