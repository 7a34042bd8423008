"""A Claude on loopback for every test that talks to one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from homeport.kernel.outbound import Outbound
from homeport.providers.anthropic import AnthropicProvider
from support.upstream import Upstream, upstream


@pytest.fixture
async def server() -> AsyncIterator[Upstream]:
    """The provider's API, scripted by the test."""
    async with upstream() as started:
        yield started


@pytest.fixture
async def claude(server: Upstream) -> AsyncIterator[AnthropicProvider]:
    """The provider, pointed at `server`."""
    provider = AnthropicProvider(
        Outbound(allow=[server.entry]),
        api_key="sk-test",
        base_url=server.url,
        betas=("beta-1", "beta-2"),
        idle_timeout_s=10,
    )
    yield provider
    await provider.close()
