"""docs/signing.md is true: its example signs what this server takes."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from identity.door import Door

DOCUMENT = Path(__file__).parents[3] / "docs" / "signing.md"


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_example_when_it_is_run_then_both_of_its_requests_are_taken(door: Door) -> None:
    ada = await door.register("ada")
    example = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    # What is signed is the address that people see; the server listens somewhere else here.
    here = {'"ck_..."': f'"{ada.api_key}"', "Request(ORIGIN": f'Request("{door.base_url}"'}
    program = example[1]
    for written, meant in here.items():
        assert program.count(written) == 1
        program = program.replace(written, meant)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    keys = (await door.call("GET", "/v1/auth/signing-keys", token=ada.access)).json["signing_keys"]
    assert [key["name"] for key in keys] == ["laptop"]
    made = (await door.call("GET", "/v1/auth/api-keys", token=ada.access)).json["api_keys"]
    assert {key["name"]: key["signed_only"] for key in made}["phone"] is True
