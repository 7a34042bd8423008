"""`homeport demo`: the main job in a minute, on a server and a repository of its own."""

from __future__ import annotations

from homeport.cli.demo.play import Options, run_demo

__all__ = ["Options", "run_demo"]
