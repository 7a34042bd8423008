"""Which IP addresses are the public internet, and which only look like it.

`ipaddress.is_global` is not enough: it calls multicast, site-local, the translation prefixes and
6to4 global, and what they carry decides (RFC 4291, 6052, 3056, 6890).
"""

from __future__ import annotations

import socket
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

Address = IPv4Address | IPv6Address

NAT64 = IPv6Network("64:ff9b::/96")
IPV4_COMPATIBLE = IPv6Network("::/96")
GLOBAL_UNICAST = IPv6Network("2000::/3")
NOT_PUBLIC_V4 = (
    IPv4Network("192.0.0.0/24"),  # IETF protocol assignments
    IPv4Network("192.88.99.0/24"),  # the relays that 6to4 used to have
    IPv4Network("224.0.0.0/4"),  # multicast
    IPv4Network("240.0.0.0/4"),  # reserved, and broadcast
)
NOT_PUBLIC_V6 = (
    IPv6Network("2001::/23"),  # IETF protocol assignments, Teredo among them
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("3fff::/20"),  # documentation
)


def effective(address: Address) -> Address:
    """The address that packets to `address` end up at: the IPv4 address it carries, if any."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    carries_last_32 = address in NAT64 or (address in IPV4_COMPATIBLE and int(address) > 1)
    return IPv4Address(int(address) & 0xFFFF_FFFF) if carries_last_32 else address


def is_public(address: Address) -> bool:
    """Whether `address` lies on the public internet, whatever it is wrapped in."""
    target = effective(address)
    if isinstance(target, IPv4Address):
        return target.is_global and not any(target in network for network in NOT_PUBLIC_V4)
    return (
        target in GLOBAL_UNICAST
        and target.is_global
        and not any(target in network for network in NOT_PUBLIC_V6)
    )


def may_be_named(address: Address) -> bool:
    """Whether an operator's *name* may stand for `address`.

    Loopback and private networks may. Link-local (the clouds' metadata services), multicast,
    unspecified and reserved addresses have to be listed by number: whoever controls the name's
    DNS would otherwise choose them.
    """
    target = effective(address)
    return not (
        target.is_link_local
        or target.is_multicast
        or target.is_unspecified
        or (target.is_reserved and not target.is_loopback)
    )


def literal(host: str) -> Address | None:
    """`host` as an IP address, or None when it is a name.

    Args:
        host: The host of a URL, without brackets.

    Raises:
        ValueError: `host` is a number in a spelling that resolvers read as an IPv4 address
            (`127.1`, `0x7f.1`, `2130706433`), or an IPv6 address with a zone.
    """
    if "%" in host:
        message = "an address with a zone, or an escape, is not called"
        raise ValueError(message)
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        socket.inet_aton(host)
    except OSError:
        return None
    message = "write an IPv4 address as four decimal numbers"
    raise ValueError(message)
