"""How a router gets a service: wiring puts instances on the app by type, an endpoint asks by type.

Log = Annotated[EventLog, provided(EventLog)]

@router.get("/things")
async def list_things(log: Log) -> ...: ...
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

T = TypeVar("T")


class Services:
    """The instances that one app was wired with, by type."""

    def __init__(self, instances: Mapping[type[Any], Any]) -> None:
        self._instances = dict(instances)

    def get(self, kind: type[T]) -> T:
        """The instance of `kind`.

        Raises:
            LookupError: Wiring provided none: a mistake in the program, not in a request.
        """
        try:
            return cast("T", self._instances[kind])
        except KeyError:
            message = f"wiring provides no {kind.__name__}"
            raise LookupError(message) from None

    def find(self, kind: type[T]) -> T | None:
        """The instance of `kind`, or None."""
        return cast("T | None", self._instances.get(kind))


def services_of(connection: HTTPConnection) -> Services:
    """The services of the app that serves `connection`."""
    return cast("Services", connection.app.state.services)


def provided_if_any(kind: type[Any]) -> Any:
    """As `provided`, with None where wiring has none."""

    async def dependency(connection: HTTPConnection) -> Any:
        return services_of(connection).find(kind)

    return Depends(dependency)


def provided(kind: type[Any]) -> Any:
    """A FastAPI dependency that yields the app's instance of `kind`."""

    async def dependency(connection: HTTPConnection) -> Any:  # a plain one costs a thread each
        return services_of(connection).get(kind)

    return Depends(dependency)
