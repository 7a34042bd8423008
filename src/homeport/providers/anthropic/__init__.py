"""Claude, over the Messages API."""

from __future__ import annotations

from homeport.providers.anthropic.provider import AnthropicProvider

__all__ = ["AnthropicProvider"]
