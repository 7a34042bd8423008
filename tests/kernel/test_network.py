"""Which addresses count as one caller."""

from __future__ import annotations

import pytest

from homeport.kernel.network import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:0DB8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("a socket", "a socket"),
    ],
)
def test_network_of_when_an_address_is_given_then_what_one_caller_holds(
    address: str, network: str
) -> None:
    assert network_of(address) == network
