"""The Claude models: what they are, can do and cost.

Names are those of the installed SDK's list; windows and prices are those of the provider's models
and pricing pages as of November 2026, cache writes at the five-minute rate that Homeport uses.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from homeport.providers.port import ModelInfo, Pricing, Usage

MILLION = 1_000_000
DEFAULT_MODEL = "claude-opus-5-5"
UNDATED = "1970-01-01"
"""The provider's own way to say that a release date is not known."""

_FABLE_5 = Pricing(10, 50, 1, 12.5)
_FABLE_5_1 = Pricing(10, 50, 0.25, 12.5)
# The cache rates of 5.2 are not confirmed: the general multipliers, which are the dearer guess.
_FABLE_5_2 = Pricing(8, 40, 0.8, 10)
_OPUS_5_5 = Pricing(4, 20, 0.2, 5)
_OPUS_5 = Pricing(5, 25, 0.5, 6.25)
_OPUS_3 = Pricing(15, 75, 1.5, 18.75)
_SONNET_5_5 = Pricing(2, 10, 0.1, 2.5)
_SONNET_5 = Pricing(2, 10, 0.2, 2.5)
_SONNET_4 = Pricing(3, 15, 0.3, 3.75)
_HAIKU_5_5 = Pricing(
    0.1, 0.5, 0.01, 0.125, long_prompt=Pricing(0.5, 2.5, 0.05, 0.625), long_prompt_over=100_000
)
_HAIKU_4_5 = Pricing(1, 5, 0.1, 1.25)
_MYTHOS_PREVIEW = Pricing(25, 125, 2.5, 31.25)

_DEMANDING = "For demanding reasoning and long work on its own."
_DEFENDERS = "For verified organisations that defend against attacks."
_CODING = "For long agentic coding and knowledge work."
_BALANCED = "Speed and intelligence in balance."
_FAST = "For many small tasks that must be quick."


def _model(
    model_id: str,
    created: str,
    pricing: Pricing,
    description: str,
    context_window: int = 1_000_000,
    max_output_tokens: int = 128_000,
    *,
    sampling: bool = False,
    thinking: bool = True,
) -> ModelInfo:
    return ModelInfo(
        id=model_id,
        display_name=display_name(model_id),
        description=description,
        context_window=context_window,
        max_output_tokens=max_output_tokens,
        pricing=pricing,
        created=datetime.fromisoformat(created).replace(tzinfo=UTC),
        supports_sampling=sampling,
        supports_thinking=thinking,
    )


def display_name(model_id: str) -> str:
    """`claude-opus-5-5` is `Claude Opus 5.5`; a date at the end is left out."""
    words = model_id.split("-")
    if len(words) > 1 and len(words[-1]) == len("20240229") and words[-1].isdigit():
        words = words[:-1]
    numbers = [word for word in words if word.isdigit()]
    names = [word.capitalize() for word in words if not word.isdigit()]
    return " ".join([*names, ".".join(numbers)]).strip()


KNOWN: tuple[ModelInfo, ...] = (
    _model("claude-fable-5-2", UNDATED, _FABLE_5_2, _DEMANDING),
    _model("claude-mythos-5-2", UNDATED, _FABLE_5_2, _DEFENDERS),
    _model("claude-haiku-5-5", "2026-10-07", _HAIKU_5_5, _FAST),
    _model("claude-sonnet-5-5", UNDATED, _SONNET_5_5, _BALANCED),
    _model("claude-opus-5-5", UNDATED, _OPUS_5_5, _CODING),
    _model("claude-fable-5-1", "2026-09-01", _FABLE_5_1, _DEMANDING),
    _model("claude-mythos-5-1", "2026-09-01", _FABLE_5_1, _DEFENDERS),
    _model("claude-opus-5", "2026-07-24", _OPUS_5, _CODING),
    _model("claude-sonnet-5", "2026-06-30", _SONNET_5, _BALANCED),
    _model("claude-fable-5", "2026-06-09", _FABLE_5, _DEMANDING),
    _model("claude-mythos-5", "2026-06-09", _FABLE_5, _DEFENDERS),
    _model("claude-opus-4-8", UNDATED, _OPUS_5, _CODING),
    _model("claude-opus-4-7", "2026-04-16", _OPUS_5, _CODING),
    _model("claude-mythos-preview", "2026-04-07", _MYTHOS_PREVIEW, _DEFENDERS),
    _model("claude-sonnet-4-6", "2026-02-17", _SONNET_4, _BALANCED, 200_000, 64_000, sampling=True),
    _model("claude-opus-4-6", "2026-02-05", _OPUS_5, _CODING, 200_000, 64_000, sampling=True),
    _model("claude-opus-4-5", "2025-11-24", _OPUS_5, _CODING, 200_000, 64_000, sampling=True),
    _model(
        "claude-opus-4-5-20251101", "2025-11-24", _OPUS_5, _CODING, 200_000, 64_000, sampling=True
    ),
    _model("claude-haiku-4-5", "2025-10-15", _HAIKU_4_5, _FAST, 200_000, 64_000, sampling=True),
    _model(
        "claude-haiku-4-5-20251001", "2025-10-15", _HAIKU_4_5, _FAST, 200_000, 64_000, sampling=True
    ),
    _model("claude-sonnet-4-5", "2025-09-29", _SONNET_4, _BALANCED, 200_000, 64_000, sampling=True),
    _model(
        "claude-sonnet-4-5-20250929",
        "2025-09-29",
        _SONNET_4,
        _BALANCED,
        200_000,
        64_000,
        sampling=True,
    ),
    _model(
        "claude-3-opus-20240229",
        "2024-02-29",
        _OPUS_3,
        "The model that old clients ask for.",
        200_000,
        4_096,
        sampling=True,
        thinking=False,
    ),
)
_BY_ID = {model.id: model for model in KNOWN}


def find_claude(model_id: str) -> ModelInfo | None:
    """The model called `model_id`; None when that is no Claude.

    A Claude that the catalogue does not know is taken to be as dear as the dearest that everybody
    can call, so that a budget holds, and to offer what all of them do.
    """
    known = _BY_ID.get(model_id)
    if known is not None or not model_id.startswith("claude-"):
        return known
    return ModelInfo(
        id=model_id,
        display_name=display_name(model_id),
        description="Not in Homeport's catalogue: limits and prices are cautious guesses.",
        context_window=200_000,
        max_output_tokens=8_192,
        pricing=_OPUS_3,
        created=datetime.fromisoformat(UNDATED).replace(tzinfo=UTC),
        known=False,
    )


def cost(usage: Usage, info: ModelInfo) -> Decimal:
    """What one request cost, in USD.

    Args:
        usage: Of one request: a price can depend on the length of its prompt, so that sums of
            several are computed from their costs.
        info: The model that answered.
    """
    pricing = info.pricing
    if pricing.long_prompt is not None and usage.prompt_tokens > pricing.long_prompt_over:
        pricing = pricing.long_prompt
    parts = (
        (usage.input_tokens, pricing.input),
        (usage.output_tokens, pricing.output),
        (usage.cache_read_tokens, pricing.cache_read),
        (usage.cache_write_tokens, pricing.cache_write),
    )
    return sum((tokens * Decimal(str(price)) for tokens, price in parts), Decimal(0)) / MILLION
