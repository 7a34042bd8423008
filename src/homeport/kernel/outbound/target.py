"""Reads a URL strictly, once, with the parser that also connects: no second opinion to exploit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from yarl import URL

from homeport.kernel.outbound.addresses import Address, is_public, literal
from homeport.kernel.outbound.allow import AllowList
from homeport.kernel.outbound.errors import OutboundBlocked

NAME = re.compile(r"(?=.{1,253}\.?$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}\.?")
# A name that ends in a number is an address to some resolvers (WHATWG URL, "ends in a number").
NUMERIC_END = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)\.?")
FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
# Names that by their definition are somebody's own network (RFC 6761, 6762, 8375, ICANN 2024).
OWN_NETWORK = ("localhost", "local", "internal", "home.arpa", "lan", "intranet")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be called, if its address may; `address` is set when the host is one."""

    url: URL
    host: str
    port: int
    address: Address | None

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what decides whether credentials may travel (RFC 6454)."""
        return (self.url.scheme, self.host, self.port)


def read_target(url: str | URL, allow: AllowList) -> Target:
    """Reads `url` and refuses what can be refused before a name is resolved.

    Raises:
        OutboundBlocked: The URL is malformed, carries a user, is not https (and not listed), names
            an own network, or is an address that is neither public nor listed.
    """
    text = str(url)
    if FORBIDDEN.search(text):
        raise OutboundBlocked("The URL contains a space, a control character or a backslash.")
    try:
        parsed = URL(text)
        host, port = parsed.raw_host, parsed.port
        address = literal(host) if host else None
    except ValueError as error:
        raise OutboundBlocked(f"The URL is not valid: {error}.") from error
    if not host or not port or parsed.scheme not in {"http", "https"}:
        raise OutboundBlocked("Only http and https URLs with a host are called.")
    if parsed.raw_user is not None or parsed.raw_password is not None:
        raise OutboundBlocked("A URL with a user or a password in it is not called.")
    target = Target(url=parsed.with_fragment(None), host=host.lower(), port=port, address=address)
    _require_listed_or_public(target, allow)
    return target


def require_address(host: str, port: int, address: Address, allow: AllowList) -> None:
    """Refuses an address that is neither public nor listed.

    Raises:
        OutboundBlocked: It is neither.
    """
    if not is_public(address) and not allow.covers(host, port, address):
        raise OutboundBlocked(f"{host} is not a public address. Only the operator can allow it.")


def _require_listed_or_public(target: Target, allow: AllowList) -> None:
    if target.address is not None:
        require_address(target.host, target.port, target.address, allow)
        listed = allow.covers(target.host, target.port, target.address)
    else:
        if NAME.fullmatch(target.host) is None or NUMERIC_END.fullmatch(target.host):
            raise OutboundBlocked("The URL's host is not a valid name.")
        listed = allow.names(target.host, target.port)
        if not listed and _is_own_network(target.host):
            raise OutboundBlocked(
                f"{target.host} is a name of an own network. Only the operator can allow it."
            )
    if target.url.scheme != "https" and not listed:
        raise OutboundBlocked("Only https is called, except for what the operator lists.")


def _is_own_network(host: str) -> bool:
    name = host.rstrip(".")
    return "." not in name or any(
        name == suffix or name.endswith(f".{suffix}") for suffix in OWN_NETWORK
    )
