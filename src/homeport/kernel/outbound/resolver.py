"""Resolves a name once and hands on only addresses that may be called: the connector dials those.

There is no second look-up between the check and the connection, so a name that changes its answer
(DNS rebinding) changes nothing.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from homeport.kernel.outbound.allow import AllowList
from homeport.kernel.outbound.errors import OutboundBlocked
from homeport.kernel.outbound.target import require_address


class GuardedResolver(AbstractResolver):
    """Asks `inner` once per connection and vets every address of its answer.

    One address that is not allowed refuses the whole answer: a mixture is what an attack looks
    like, and choosing the good half would hide it.
    """

    def __init__(self, inner: AbstractResolver, allow: AllowList) -> None:
        self._inner = inner
        self._allow = allow

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host`, all of them vetted for `port`.

        Raises:
            OutboundBlocked: One of them is neither public nor listed.
            OSError: The name does not resolve.
        """
        results = await self._inner.resolve(host, port, family)
        for result in results:
            try:
                address = ip_address(result["host"].partition("%")[0])
            except ValueError as error:
                raise OutboundBlocked(f"{host} resolves to no address.") from error
            require_address(host, port, address, self._allow)
        return results

    async def close(self) -> None:
        """Closes the inner resolver."""
        await self._inner.close()
