"""Puts together what this server offers, from the operator's plain values."""

from __future__ import annotations

from homeport.kernel.outbound import Outbound, entry_for
from homeport.providers.anthropic import AnthropicProvider
from homeport.providers.catalogue import DEFAULT_MODEL
from homeport.providers.demo import DEMO_MODEL, DemoProvider
from homeport.providers.models import Models
from homeport.providers.port import Provider

IDLE_TIMEOUT_S = 60.0


def offer_models(
    *,
    api_key: str | None,
    base_url: str | None = None,
    default: str | None = None,
    idle_timeout_s: float = IDLE_TIMEOUT_S,
    demo_pace: float = 1.0,
) -> Models:
    """Claude when there is a key, and the demo model always.

    Args:
        api_key: Anthropic's key.
        base_url: Where the API is, if not at Anthropic's: may be a private address, because the
            operator has named it, and is listed for this provider alone.
        default: The model of a session that names none; None for the current Claude with a key,
            for the demo, which is then the only one, without.
        idle_timeout_s: Seconds without a byte until a call is given up.
        demo_pace: Multiplies the delays of the demo model.

    Raises:
        UnknownModel: There is a key, and `default` is not served.
        ValueError: `base_url` cannot be read.
    """
    demo = DemoProvider(pace=demo_pace)
    if not api_key:
        return Models([demo], default=DEMO_MODEL)
    # A client of its own: what is listed for the base URL is out of reach for users' URLs.
    outbound = Outbound(allow=[entry_for(base_url)] if base_url else [])
    claude = AnthropicProvider(
        outbound, api_key=api_key, base_url=base_url, idle_timeout_s=idle_timeout_s
    )
    providers: list[Provider] = [claude, demo]
    return Models(providers, default=default or DEFAULT_MODEL)
