"""Whose address it is: what one household, office or machine may take another one from at will."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

IPV6_PREFIX: Final = 64
"""Bits: whoever has one address of a /64 has 2^64 of them (RFC 6177 section 2)."""


@lru_cache(maxsize=4_096)
def network_of(address: str) -> str:
    """The network that counts as one caller: an IPv4 address, an IPv6 /64, or the text itself.

    An IPv4 address inside an IPv6 one (RFC 4291 section 2.5.5.2) is that IPv4 address.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), IPV6_PREFIX), strict=False))
