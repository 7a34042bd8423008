"""Addresses as an operator writes them, in the form in which they are compared.

One that is written in another way than browsers and sockets write it would match nothing, and
nobody would be told: it is brought to their form, or refused at the start.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Final

ANY: Final = "*"
_HOST: Final = r"\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}"
_ORIGIN: Final = re.compile(
    rf"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>{_HOST})(?::(?P<port>\d{{1,5}}))?"
)
_PATH: Final = re.compile(r"(?:/[!-~]*)?")
_NAME: Final = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?")
_PORTS: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 65_535


def as_origin(text: str) -> str:
    """`scheme://host[:port]` as browsers send it (HTML, serialization of an origin).

    Raises:
        ValueError: It is none: without a scheme, or with more than an origin has.
    """
    origin, rest = _split(text)
    if origin is None or rest not in {"", "/"}:
        raise ValueError(f"{text!r} is no origin: write scheme://host or scheme://host:port")
    return origin


def as_origin_or_any(text: str) -> str:
    """The same, or `*`.

    Raises:
        ValueError: It is neither.
    """
    return text if text == ANY else as_origin(text)


def as_public_url(text: str) -> str:
    """`http[s]://host[:port][/path]` with the host as browsers write it and no slash at its end.

    Raises:
        ValueError: It is none. What was written is not told: it may hold a password.
    """
    origin, rest = _split(text)
    web = origin is not None and origin.startswith(("http://", "https://"))
    if origin is None or not web or not _PATH.fullmatch(rest) or set(rest) & set("?#"):
        raise ValueError("write https://host, https://host:port or https://host/path")
    return origin + rest.rstrip("/")


def as_host_name(text: str) -> str:
    """A name or an address as it stands in the Host header; `*.` before a name: all below it.

    Raises:
        ValueError: It is none, or stands for every name: then pages elsewhere could give their own
            name to this server (DNS rebinding).
    """
    if _NAME.fullmatch(text):
        return text.lower().rstrip(".")
    try:
        return f"[{ip_address(text.removeprefix('[').removesuffix(']'))}]"
    except ValueError:
        wanted = "write a name, an address or *.name, without scheme, port and path"
        raise ValueError(f"{text!r} is no host: {wanted}") from None


def as_network(text: str) -> str:
    """An address or a CIDR.

    Raises:
        ValueError: It is none, or an address that is not the first of its network.
    """
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise ValueError(f"{error}: write addresses and CIDRs, such as 10.0.0.0/8") from None


def as_peer(network: str) -> tuple[str, ...]:
    """A network as the addresses of peers show it: IPv4 also inside IPv6 (RFC 4291 2.5.5.2)."""
    parsed = ip_network(network)
    if not isinstance(parsed, IPv4Network):
        return (network,)
    return (network, f"::ffff:{parsed.network_address}/{96 + parsed.prefixlen}")


def _split(text: str) -> tuple[str | None, str]:
    """The origin that `text` begins with, and what follows."""
    found = _ORIGIN.match(text)
    if found is None:
        return None, text
    scheme, host = found["scheme"].lower(), found["host"].lower()
    if host.startswith("["):
        try:
            host = f"[{ip_address(host[1:-1])}]"
        except ValueError:
            return None, text
    port = int(found["port"]) if found["port"] else None
    if port is not None and port > _LAST_PORT:
        return None, text
    shown = "" if port is None or port == _PORTS.get(scheme) else f":{port}"
    return f"{scheme}://{host}{shown}", text[found.end() :]
