"""Puts together what this server offers, from the operator's plain values."""

from __future__ import annotations

from collections.abc import Iterable

from homeport.kernel.outbound import Outbound, entry_for
from homeport.providers.anthropic import AnthropicProvider
from homeport.providers.catalogue import DEFAULT_MODEL
from homeport.providers.demo import DEMO_MODEL, DemoProvider
from homeport.providers.errors import UnknownModel
from homeport.providers.models import Models
from homeport.providers.port import Provider


def offer_models(
    *,
    api_key: str | None,
    base_url: str | None = None,
    default: str | None = None,
    outbound_allow: Iterable[str] = (),
    demo_pace: float = 1.0,
) -> Models:
    """Claude when there is a key, and the demo model always.

    Args:
        api_key: Anthropic's key.
        base_url: Where the API is, if not at Anthropic's: may be a private address, because the
            operator has named it, and is listed for this provider alone.
        default: The model of a session that names none; None for the current Claude with a key,
            for the demo without.
        outbound_allow: What else the operator lists.
        demo_pace: Multiplies the delays of the demo model.

    Raises:
        UnknownModel: `default` is not served, or not without a key.
        ValueError: `base_url` or an entry of `outbound_allow` cannot be read.
    """
    demo = DemoProvider(pace=demo_pace)
    if not api_key:
        if default not in {None, DEMO_MODEL}:
            raise UnknownModel(
                f"The default model is {default!r}, and no ANTHROPIC_API_KEY is set.",
                param="ANTHROPIC_MODEL",
            )
        return Models([demo], default=DEMO_MODEL)
    listed = [entry_for(base_url)] if base_url else []
    outbound = Outbound(allow=[*outbound_allow, *listed])
    claude = AnthropicProvider(outbound, api_key=api_key, base_url=base_url)
    providers: list[Provider] = [claude, demo]
    return Models(providers, default=default or DEFAULT_MODEL)
