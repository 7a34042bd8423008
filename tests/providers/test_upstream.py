"""The fake Claude is judged by the real SDK: what it reads, the fake may be used to prove."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anthropic
import pytest

from homeport.kernel.outbound import Outbound
from homeport.providers import (
    BlockDelta,
    ProviderInterrupted,
    ProviderOverloaded,
    ProviderRateLimited,
    to_wire,
)
from homeport.providers.anthropic import AnthropicProvider
from support import upstream as module
from support.conversation import ask, collect, completed, streamed
from support.upstream import Fail, Reply, Upstream, text, thinking, tool_use


@pytest.fixture
async def sdk(server: Upstream) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """The provider's own client."""
    client = anthropic.AsyncAnthropic(api_key="sk-test", base_url=server.url, max_retries=0)
    yield client
    await client.close()


async def test_sdk_reads_every_block_of_the_fake(
    server: Upstream, sdk: anthropic.AsyncAnthropic
) -> None:
    blocks = [
        *thinking("hm", signature="s"),
        *text("Hel", "lo", index=1),
        *tool_use("Bash", '{"a":', " 1}", id="toolu_1", index=2),
    ]
    server.script(Reply(blocks, stop_reason="tool_use", cuts=[7]))
    stream = sdk.messages.stream(
        model="claude-opus-5-5", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
    )
    async with stream as events:
        message = await events.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[2].model_dump()["input"] == {"a": 1}
    assert (message.stop_reason, message.usage.output_tokens) == ("tool_use", 20)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, anthropic.AuthenticationError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.InternalServerError),
    ],
)
async def test_sdk_reads_the_fakes_failures(
    server: Upstream, sdk: anthropic.AsyncAnthropic, status: int, kind: type[Exception]
) -> None:
    server.script(Fail(status))
    with pytest.raises(kind, match="asked for by the test"):
        await sdk.messages.create(
            model="claude-opus-5-5", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
        )


async def test_directives_make_the_model_call_tools_in_turn(claude: AnthropicProvider) -> None:
    request = ask('TOOL Read {"file_path": "a"} then TOOL Bash {"command": "ls"}')
    for name in ("Read", "Bash"):
        last = completed(await collect(claude.stream(request)))
        wire = to_wire(last.blocks[0])
        assert (last.stop_reason, wire["name"]) == ("tool_use", name)
        result = {"type": "tool_result", "tool_use_id": wire["id"], "content": "done"}
        messages = [
            *request.messages,
            {"role": "assistant", "content": [wire]},
            {"role": "user", "content": [result]},
        ]
        request = replace(request, messages=messages)
    assert completed(await collect(claude.stream(request))).stop_reason == "end_turn"


async def test_directives_fail_as_often_as_asked(claude: AnthropicProvider) -> None:
    for _ in range(2):
        with pytest.raises(ProviderRateLimited):
            await collect(claude.stream(ask("FAIL 429 x2")))
    await collect(claude.stream(ask("FAIL 429 x2")))
    with pytest.raises(ProviderInterrupted):
        await collect(claude.stream(ask("PERF n=4 FAIL cut")))
    with pytest.raises(ProviderOverloaded):
        await collect(claude.stream(ask("PERF n=4 FAIL error")))


async def test_fake_runs_as_a_process_of_its_own() -> None:
    argv = [sys.executable, str(Path(module.__file__)), "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        claude = AnthropicProvider(
            Outbound(allow=[url.removeprefix("http://")]), api_key="k", base_url=url
        )
        events = await collect(claude.stream(ask("PERF n=300 i=0.01")))
        assert streamed(events) == [("text", "".join(f"delta {n} " for n in range(300)))]
        assert sum(isinstance(event, BlockDelta) for event in events) == 300
        await claude.close()
        process.kill()
