"""What the operator asks: is it alive, is it ready, what does it offer."""

from homeport.operations.state import Check, Finding, Operations

__all__ = ["Check", "Finding", "Operations"]
