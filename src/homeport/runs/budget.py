"""The budget's port: money is reserved before a model call and settled after it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from homeport.dispatch import Claim
from homeport.providers.port import Usage


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was set aside for one model call."""

    run_id: str
    turn: int


class Budget(Protocol):
    """Says whether a call may be paid for, and keeps the account of what it cost."""

    async def reserve(self, claim: Claim, *, turn: int, model: str) -> Reservation:
        """Sets aside what the call may cost.

        Raises:
            PaymentRequired: It is over a limit; nothing was spent.
        """
        ...

    async def settle(
        self, reservation: Reservation, *, usage: Usage, cost_usd: Decimal, estimated: bool
    ) -> None:
        """Replaces the reservation by what was used; `estimated` when the call broke off."""
        ...


class Unlimited:
    """No budget is set: every call may be made, and the log's usage is the whole account."""

    async def reserve(self, claim: Claim, *, turn: int, model: str) -> Reservation:  # noqa: ARG002
        """Sets nothing aside."""
        return Reservation(claim.run_id, turn)

    async def settle(
        self, reservation: Reservation, *, usage: Usage, cost_usd: Decimal, estimated: bool
    ) -> None:
        """Keeps no account of its own."""
