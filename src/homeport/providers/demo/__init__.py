"""The demo model: no key, no network, prepared transcripts."""

from __future__ import annotations

from homeport.providers.demo.provider import DEMO_MODEL, DemoProvider

__all__ = ["DEMO_MODEL", "DemoProvider"]
