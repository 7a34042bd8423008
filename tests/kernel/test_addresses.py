"""What an operator writes is what browsers and sockets will show, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest

from homeport.kernel.addresses import (
    as_host_name,
    as_network,
    as_origin,
    as_origin_or_any,
    as_peer,
    as_public_url,
)

Reading = Callable[[str], str]


@pytest.mark.parametrize(
    ("read", "written", "compared"),
    [
        (as_origin, "https://Ship.Example:443/", "https://ship.example"),
        (as_origin, "http://localhost:80", "http://localhost"),
        (as_origin, "http://localhost:05173", "http://localhost:5173"),
        (as_origin, "https://ship.example:80", "https://ship.example:80"),
        (as_origin, "http://[0:0::1]:3000", "http://[::1]:3000"),
        (as_origin, "capacitor://localhost", "capacitor://localhost"),
        (as_origin_or_any, "*", "*"),
        (as_origin_or_any, "ionic://localhost", "ionic://localhost"),
        (as_public_url, "HTTPS://Ship.Example:443/", "https://ship.example"),
        (as_public_url, "https://ship.example:8443/Base/", "https://ship.example:8443/Base"),
        (as_public_url, "http://[fd00::0:1]", "http://[fd00::1]"),
        (as_host_name, "Ship.Example.", "ship.example"),
        (as_host_name, "*.Ship.example", "*.ship.example"),
        (as_host_name, "192.0.2.7", "192.0.2.7"),
        (as_host_name, "fd00:0::1", "[fd00::1]"),
        (as_host_name, "[fd00::1]", "[fd00::1]"),
        (as_network, "10.0.0.0/8", "10.0.0.0/8"),
        (as_network, "127.0.0.1", "127.0.0.1/32"),
        (as_network, "fd00::/8", "fd00::/8"),
    ],
)
def test_address_when_it_is_one_then_it_is_as_it_will_be_compared(
    read: Reading, written: str, compared: str
) -> None:
    assert read(written) == compared
    assert read(compared) == compared


@pytest.mark.requirement("31")
@pytest.mark.parametrize(
    ("read", "written"),
    [
        (as_origin, "*"),
        (as_origin, "null"),
        (as_origin, "file://"),
        (as_origin, "ship.example"),
        (as_origin, "localhost:3000"),
        (as_origin, "https://ship.example/app"),
        (as_origin, "https://ship.example?"),
        (as_origin, "https://a@ship.example"),
        (as_origin, "https://*.ship.example"),
        (as_origin, "https://b\u00fccher.example"),
        (as_origin, "https://ship.example:65536"),
        (as_origin, "http://[::g]"),
        (as_origin, "https://ship.example https://app.example"),
        (as_public_url, "ship.example"),
        (as_public_url, "ftp://ship.example"),
        (as_public_url, "https://"),
        (as_public_url, "https:///base"),
        (as_public_url, "https://ship.example/?a=b"),
        (as_public_url, "https://ship.example/#top"),
        (as_public_url, "https://ship.example/a b"),
        (as_public_url, "https://ship.example:port"),
        (as_public_url, "https://ada:hunter2@ship.example"),
        (as_host_name, "*"),
        (as_host_name, "*."),
        (as_host_name, "a.*.example"),
        (as_host_name, "https://ship.example"),
        (as_host_name, "ship.example:8443"),
        (as_host_name, "ship.example/"),
        (as_host_name, "ship..example"),
        (as_host_name, "[ship.example]"),
        (as_network, "*"),
        (as_network, "10.0.0.5/8"),
        (as_network, "10.0.0.0/33"),
        (as_network, "proxy.internal"),
        (as_network, "10.0.0.1:80"),
    ],
)
def test_address_when_it_is_none_then_it_is_refused(read: Reading, written: str) -> None:
    with pytest.raises(ValueError, match="write") as refused:
        read(written)
    assert "hunter2" not in str(refused.value)


def test_peer_when_it_is_ipv4_then_it_is_known_on_a_socket_of_both_kinds() -> None:
    plain, inside = map(ip_network, as_peer("10.0.0.0/8"))
    assert ip_address("10.255.0.1") in plain
    assert ip_address("::ffff:10.255.0.1") in inside
    assert ip_address("::ffff:11.0.0.1") not in inside
    assert as_peer("fd00::/8") == ("fd00::/8",)
