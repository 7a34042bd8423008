"""The operator's exceptions: what an entry opens, and what it does not."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from homeport.kernel.outbound import AllowList, entry_for


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "covered"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1", True),
        ("127.0.0.1:8080", "127.0.0.1", 8081, "127.0.0.1", False),
        ("127.0.0.1:8080", "evil.example", 8080, "127.0.0.1", True),
        ("[::1]:80", "::1", 80, "::1", True),
        ("10.0.0.0/8", "a.example", 9, "10.9.8.7", True),
        ("10.0.0.0/8", "a.example", 9, "11.0.0.1", False),
        ("10.0.0.0/8", "a.example", 9, "::ffff:10.0.0.1", True),
        ("10.0.0.0/8:443", "a.example", 80, "10.9.8.7", False),
        ("[fd00::/8]:443", "a.example", 443, "fd00::7", True),
        ("fd00::/8", "a.example", 1, "fd12::7", True),
        ("nas.local:443", "NAS.local.", 443, "192.168.1.7", True),
        ("nas.local:443", "nas.local", 444, "192.168.1.7", False),
        ("nas.local:443", "xnas.local", 443, "192.168.1.7", False),
        ("nas.local:443", "nas.local", 443, "127.0.0.1", True),
        ("nas.local:443", "nas.local", 443, "::1", True),
        ("nas.local:443", "nas.local", 443, "169.254.169.254", False),
        ("nas.local:443", "nas.local", 443, "::ffff:169.254.169.254", False),
        ("nas.local:443", "nas.local", 443, "0.0.0.0", False),
        ("169.254.169.254/32", "nas.local", 443, "169.254.169.254", True),
    ],
)
def test_entry_covers_exactly_its_place(
    entry: str, host: str, port: int, address: str, *, covered: bool
) -> None:
    assert AllowList([entry]).covers(host, port, ip_address(address)) is covered


@pytest.mark.parametrize(
    "entry", ["", "localhost", "127.0.0.1", "host:0", "host:65536", "10.0.0.0/33", "a:b", "::1:80"]
)
def test_entry_that_is_no_place_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="neither host:port nor a CIDR"):
        AllowList([entry])


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("http://127.0.0.1:9000/v1", "127.0.0.1:9000"),
        ("https://API.example.com", "api.example.com:443"),
        ("http://[::1]/", "[::1]:80"),
    ],
)
def test_entry_for_a_url_is_its_server_and_readable(url: str, entry: str) -> None:
    assert entry_for(url) == entry
    AllowList([entry])


def test_entry_for_a_url_without_a_host_is_refused() -> None:
    with pytest.raises(ValueError, match="no host"):
        entry_for("file:///etc/passwd")
