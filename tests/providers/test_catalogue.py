"""Models and money."""

from __future__ import annotations

import re
import subprocess
import sys
from decimal import Decimal
from typing import get_args

import pytest
from anthropic.types import model as sdk

from homeport.providers import DEFAULT_MODEL, Models, UnknownModel, Usage, cost
from homeport.providers.catalogue import KNOWN, display_name, find_claude
from homeport.providers.demo import DemoProvider


def test_catalogue_has_every_model_that_the_sdk_names() -> None:
    named = {name for part in get_args(sdk.Model) for name in get_args(part)}
    assert named, "the SDK's list has moved"
    assert named <= {info.id for info in KNOWN}


def test_catalogue_has_the_old_clients_model_and_the_default() -> None:
    assert find_claude("claude-3-opus-20240229") is not None
    default = find_claude(DEFAULT_MODEL)
    assert default is not None
    assert default.known


@pytest.mark.parametrize("info", KNOWN, ids=lambda info: info.id)
def test_prices_are_in_their_usual_order(info: object) -> None:
    pricing = next(known for known in KNOWN if known is info).pricing
    assert 0 < pricing.cache_read < pricing.input < pricing.cache_write < pricing.output


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("claude-opus-5-5", "Claude Opus 5.5"),
        ("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5"),
        ("claude-3-opus-20240229", "Claude Opus 3"),
        ("claude-mythos-preview", "Claude Mythos Preview"),
    ],
)
def test_display_name_is_what_people_say(model_id: str, name: str) -> None:
    assert display_name(model_id) == name


def test_unknown_claude_is_taken_to_be_dear_and_small() -> None:
    info = find_claude("claude-next-9")
    assert info is not None
    assert not info.known
    dearest = [known for known in KNOWN if "mythos" not in known.id]
    assert info.pricing.output == max(known.pricing.output for known in dearest)
    assert info.context_window == min(known.context_window for known in KNOWN)
    assert find_claude("gpt-9") is None


def usd(model_id: str, usage: Usage) -> Decimal:
    info = find_claude(model_id)
    assert info is not None
    return cost(usage, info)


def test_cost_adds_the_four_kinds_of_tokens() -> None:
    usage = Usage(1_000_000, 100_000, 2_000_000, 10_000)
    assert usd("claude-opus-5", usage) == Decimal(5) + Decimal("2.5") + 1 + Decimal("0.0625")
    assert usd("claude-opus-5", Usage()) == 0


def test_cost_of_a_long_prompt_counts_what_came_from_the_cache() -> None:
    assert usd("claude-haiku-5-5", Usage(input_tokens=100_000)) == Decimal("0.01")
    longer = Usage(input_tokens=1, cache_read_tokens=100_000)
    assert usd("claude-haiku-5-5", longer) == Decimal("0.0050005")


def test_usage_adds_up() -> None:
    assert Usage(1, 2, 3, 4) + Usage(10, 20, 30, 40) == Usage(11, 22, 33, 44)


def test_models_are_found_by_whoever_serves_them() -> None:
    models = Models([DemoProvider()])
    provider, info = models.get("demo")
    assert (provider.name, info.id, models.default) == ("demo", "demo", "demo")
    with pytest.raises(UnknownModel, match=re.escape("'claude-opus-5'")):
        models.get("claude-opus-5")
    with pytest.raises(UnknownModel):
        Models([DemoProvider()], default="nothing")


def test_import_of_the_room_loads_no_sdk() -> None:
    code = (
        "import sys, homeport.providers, homeport.providers.anthropic, homeport.providers.demo;"
        "sys.exit('anthropic' in sys.modules or 'httpx2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
