"""What the operator lists: places that may be called although they are not public."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from yarl import URL

from homeport.kernel.outbound.addresses import Address, effective, may_be_named

ENTRY = re.compile(r"(?P<place>\[[^\]]+\]|[^:\[\]]+|[0-9a-fA-F:]+/\d+)(?::(?P<port>\d{1,5}))?")
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class _Entry:
    """One listed place; `port` None means every port."""

    name: str | None
    network: IPv4Network | IPv6Network | None
    port: int | None


class AllowList:
    """The operator's exceptions.

    Args:
        entries: `host:port`, `address:port` (`[::1]:8080` for IPv6), `CIDR` or `CIDR:port`
            (`[fd00::/8]:443`). A name or an address without a port is refused: it would open all
            of a machine's services.

    Raises:
        ValueError: An entry is none of these; the message shows it.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._entries = tuple(_parse(entry) for entry in entries)

    def names(self, host: str, port: int) -> bool:
        """Whether `host:port` is listed by its name."""
        return any(
            entry.port == port and entry.name == host.rstrip(".").lower() for entry in self._entries
        )

    def covers(self, host: str, port: int, address: Address) -> bool:
        """Whether `address`, which `host` stands for, may be called on `port`."""
        if self.names(host, port) and may_be_named(address):
            return True
        target = effective(address)
        return any(
            entry.network is not None
            and entry.network.version == target.version
            and target in entry.network
            and entry.port in {None, port}
            for entry in self._entries
        )


def entry_for(url: str) -> str:
    """The `host:port` entry that lists `url`'s server, for a URL that the operator configured.

    Raises:
        ValueError: `url` has no host.
    """
    parsed = URL(url)
    if parsed.raw_host is None or parsed.port is None:
        message = f"{url} has no host"
        raise ValueError(message)
    host = f"[{parsed.raw_host}]" if ":" in parsed.raw_host else parsed.raw_host
    return f"{host}:{parsed.port}"


def _parse(entry: str) -> _Entry:
    match = ENTRY.fullmatch(entry.strip())
    if match is None:
        raise _unreadable(entry)
    place = match["place"].strip("[]").lower()
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port <= MAX_PORT:
        raise _unreadable(entry)
    if "/" in place:
        try:
            return _Entry(name=None, network=ip_network(place), port=port)
        except ValueError as error:
            raise _unreadable(entry) from error
    if port is None:
        raise _unreadable(entry)
    try:
        return _Entry(name=None, network=ip_network(ip_address(place)), port=port)
    except ValueError:
        return _Entry(name=place.rstrip("."), network=None, port=port)


def _unreadable(entry: str) -> ValueError:
    return ValueError(f"{entry!r} is neither host:port nor a CIDR (with :port)")
