"""Who is told of refusals: every 401 and 403 passes here on its way out, whoever has raised it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from starlette.types import Scope

from homeport.kernel.errors import Forbidden, HomeportError, Unauthenticated
from homeport.kernel.http.provide import Services


class Refusals(Protocol):
    """Takes refusals down. Wiring provides the one instance."""

    @abstractmethod
    def note(self, error: HomeportError, scope: Scope) -> None:
        """Takes `error` down, by which something in `scope` is answered; waits for nothing."""


def tell(error: HomeportError, scope: Scope) -> None:
    """Has `error` taken down, if it is a refusal and wiring has somebody who does that."""
    if not isinstance(error, (Unauthenticated, Forbidden)) or "app" not in scope:
        return
    services: Services | None = getattr(scope["app"].state, "services", None)
    refusals = None if services is None else services.find(Refusals)
    if refusals is not None:
        refusals.note(error, scope)
