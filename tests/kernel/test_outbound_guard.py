"""Requirement 43: what the guard refuses, it refuses before a packet leaves."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from homeport.kernel.outbound import Outbound, OutboundBlocked, OutboundFailed
from support.listener import OK, Heard, Listener, listening, redirect

PUBLIC = "8.8.8.8"
# {port} is a listener on loopback; names are answered by `Liar`.
LOOPBACK_SPELLINGS = [
    "127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.255.255.254", "0.0.0.0", "0", "0.0", "0x0",
    "2130706433", "0x7f000001", "0x7f.1", "0x7f.0x0.0x0.0x1", "0177.0.0.1", "017700000001",
    "127.0.0.1.", "0x7f.1.", "1.2.3.4.5", "a.example.0x7f", "127.0.0.01", "127.0.0.0x1",
    "127.0x1", "00127.0.0.1", "0127.0.0.1",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[2002:7f00:1::1]", "[2001:0:7f00:1::]", "[::1%25lo]", "[fe80::1%25lo]",
]  # fmt: skip
OTHER_PLACES = [
    "169.254.169.254", "169.254.1.1", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255",
    "192.168.0.1", "192.168.255.255", "100.64.0.1", "198.18.0.1", "192.0.0.1", "192.0.2.1",
    "192.88.99.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "[fd00::1]", "[fc00::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[ff0e::1]",
    "[2001:db8::1]", "[3fff::1]", "[100::1]", "[5f00::1]", "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[fd00:ec2::254]", "[::ffff:10.0.0.1]",
]  # fmt: skip
NAMES = [
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "metadata.google.internal",
    "nas.local", "router.lan", "printer.home.arpa", "wiki.intranet", "intranet", "loopback.example",
    "mixed.example", "mapped.example", "linklocal.example", "no-address.example",
    "127。0。0。1", "127.0.0。1",
     "①②⑦.⓪.⓪.①", "\uff11\uff12\uff17.0.0.1", "ⓛocalhost", "%6cocalhost",
    "%31%32%37.0.0.1", "a..example", "-a.example", "exa mple.com", "a_b!.example",
]  # fmt: skip
WHOLE_URLS = [
    "https://user@127.0.0.1:{port}/", "https://user:secret@8.8.8.8:{port}/",
    "https://8.8.8.8@127.0.0.1:{port}/", "https://8.8.8.8:{port}@127.0.0.1:{port}/",
    "https://8.8.8.8\\@127.0.0.1:{port}/", "https://8.8.8.8#@127.0.0.1\\:{port}/",
    "https://127.0.0.1\x00.example.com:{port}/", "https://localhost\x00:{port}/",
    "https://loc\talhost:{port}/", "https://8.8.8.8:{port}/\r\nHost: localhost",
    "http://8.8.8.8:{port}/", "http://example.com:{port}/", "ftp://8.8.8.8:{port}/",
    "file:///etc/passwd", "gopher://127.0.0.1:{port}/", "unix:///run/docker.sock",
    "//127.0.0.1:{port}/", "127.0.0.1:{port}", "https://:{port}/", "https://8.8.8.8:0/",
    "https://8.8.8.8:65536/", "https://[::1/", "https:127.0.0.1:{port}/", "",
]  # fmt: skip
REFUSED = [
    *(f"https://{host}:{{port}}/" for host in LOOPBACK_SPELLINGS),
    *(f"http://{host}:{{port}}/" for host in LOOPBACK_SPELLINGS),
    *(f"https://{host}:{{port}}/latest/meta-data" for host in (*OTHER_PLACES, *NAMES)),
    *WHOLE_URLS,
]  # fmt: skip
ANSWERS = {
    "mixed.example": [PUBLIC, "127.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "linklocal.example": ["fe80::1%lo"],
    "no-address.example": ["not an address"],
}


def results(host: str, port: int, addresses: list[str]) -> list[ResolveResult]:
    return [
        ResolveResult(
            hostname=host,
            host=address,
            port=port,
            family=socket.AF_INET6 if ":" in address else socket.AF_INET,
            proto=0,
            flags=socket.AI_NUMERICHOST,
        )
        for address in addresses
    ]


class Liar(AbstractResolver):
    """A hostile DNS: answers look-up number n of a name with `answer(host, n)`."""

    def __init__(self, answer: Callable[[str, int], list[str]]) -> None:
        self._answer = answer
        self.asked: list[str] = []

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return results(host, port, self._answer(host, self.asked.count(host)))

    async def close(self) -> None:
        """Holds nothing."""


class Dialler:
    """Makes sockets for loopback, and refuses where a packet would leave this machine."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    def __call__(self, info: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
        family, kind, protocol, _, address = info
        self.dialled.append(address[0])
        if address[0] != "127.0.0.1":
            message = "the tests do not leave this machine"
            raise OSError(message)
        return socket.socket(family, kind, protocol)


@pytest.mark.requirement("43")
def test_refused_urls_are_at_least_eighty_and_distinct() -> None:
    assert len(set(REFUSED)) == len(REFUSED) >= 80


@pytest.mark.requirement("43")
@pytest.mark.parametrize("url", REFUSED, ids=ascii)
async def test_request_to_what_is_not_public_is_refused_without_a_socket(url: str) -> None:
    dialler = Dialler()
    async with (
        Outbound(
            resolver=Liar(lambda host, _: ANSWERS.get(host, ["127.0.0.1"])), socket_factory=dialler
        ) as outbound,
        listening() as listener,
    ):
        with pytest.raises(OutboundBlocked):
            await outbound.fetch("GET", url.format(port=listener.port))
        assert (dialler.dialled, listener.connections) == ([], 0)


@pytest.mark.parametrize(
    "address", [PUBLIC, "2606:4700::1", "64:ff9b::808:808", "::ffff:8.8.8.8", "2002:808:808::1"]
)
async def test_request_to_what_is_public_is_dialled(address: str) -> None:
    """The counter-test: without it a guard that refuses everything would pass."""
    dialler = Dialler()
    async with Outbound(resolver=Liar(lambda _, __: [address]), socket_factory=dialler) as outbound:
        with pytest.raises(OutboundFailed):
            await outbound.fetch("GET", "https://public.example/")
        assert dialler.dialled == [address]


@pytest.mark.requirement("43")
async def test_rebinding_name_a_thousand_times_is_dialled_only_where_it_was_vetted() -> None:
    """Odd rounds see the public address first, even ones loopback; the next look-up flips it."""
    dialler = Dialler()
    dns = Liar(lambda host, n: [PUBLIC if (int(host[1:-8]) + n) % 2 == 0 else "127.0.0.1"])
    async with listening() as listener:
        async with Outbound(resolver=dns, socket_factory=dialler) as outbound:
            for number in range(1_000):
                refusal = OutboundFailed if number % 2 else OutboundBlocked
                with pytest.raises(refusal):
                    await outbound.fetch("GET", f"https://r{number}.example:{listener.port}/")
        assert listener.connections == 0
    assert len(dns.asked) == len(set(dns.asked)) == 1_000, "one look-up per request"
    assert dialler.dialled == [PUBLIC] * 500


@pytest.mark.requirement("43")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_to_loopback_is_refused_at_its_hop(status: int) -> None:
    async with listening() as inner, listening() as middle, listening() as outer:
        middle.answer = lambda _: redirect(f"{inner.origin}/secret", status)
        outer.answer = lambda _: redirect(f"{middle.origin}/next", status)
        async with Outbound(allow=[outer.entry, middle.entry]) as outbound:
            with pytest.raises(OutboundBlocked):
                await outbound.fetch("GET", outer.origin)
            assert (outer.connections, middle.connections, inner.connections) == (1, 1, 0)


@pytest.mark.requirement("43")
@pytest.mark.parametrize(
    "location",
    ["//127.0.0.1:{port}/", "http://2130706433:{port}/", "file:///etc/passwd", "//[::1]:{port}/"],
)
async def test_redirect_in_any_spelling_is_checked_again(location: str) -> None:
    async with listening() as inner, listening() as outer:
        outer.answer = lambda _: redirect(location.format(port=inner.port))
        async with Outbound(allow=[outer.entry]) as outbound:
            with pytest.raises(OutboundBlocked):
                await outbound.fetch("GET", outer.origin)
            assert inner.connections == 0


async def test_redirects_beyond_the_third_are_refused() -> None:
    def onward(heard: Heard) -> bytes:
        hop = int(heard.line.split()[1].strip("/") or 0)
        return redirect(f"/{hop + 1}")

    async with listening(onward) as listener, Outbound(allow=[listener.entry]) as outbound:
        with pytest.raises(OutboundBlocked):
            await outbound.fetch("GET", listener.origin)
        assert [heard.line for heard in listener.heard] == [
            f"GET /{path} HTTP/1.1" for path in ("", "1", "2", "3")
        ]


SECRETS = {"Authorization": "Bearer s3", "X-API-Key": "s3", "Cookie": "a=s3", "X-Own": "s3"}


async def follow(first: Listener, last: Listener, **request: Any) -> None:
    async with Outbound(allow=[first.entry, last.entry]) as outbound:
        await outbound.fetch(
            url=first.origin, headers=SECRETS | {"Accept": "text/plain"}, **request
        )


@pytest.mark.requirement("43")
async def test_credentials_stay_with_the_origin_they_were_given_for() -> None:
    async with listening() as last, listening() as first:
        first.answer = lambda _: redirect(last.origin)
        await follow(first, last, method="GET")
        assert first.heard[0].headers["x-own"] == "s3"
        assert "s3" not in str(last.heard[0].headers)
        assert last.heard[0].headers["accept"] == "text/plain"


async def test_credentials_are_kept_on_a_redirect_within_the_origin() -> None:
    def once(heard: Heard) -> bytes:
        return redirect("/b") if heard.line.startswith("GET / ") else OK

    async with listening(once) as only, Outbound(allow=[only.entry]) as outbound:
        await outbound.fetch("GET", only.origin, headers=SECRETS)
        assert only.heard[1].headers["authorization"] == "Bearer s3"


@pytest.mark.requirement("43")
async def test_body_is_not_sent_on_to_another_origin() -> None:
    async with listening() as last, listening() as first:
        first.answer = lambda _: redirect(last.origin, 307)
        with pytest.raises(OutboundBlocked):
            await follow(first, last, method="POST", body=b"secret")
        assert last.connections == 0


async def test_post_that_is_redirected_becomes_a_get_without_its_body() -> None:
    async with listening() as last, listening() as first:
        first.answer = lambda _: redirect(last.origin, 303)
        await follow(first, last, method="POST", body=b"secret")
        assert (last.heard[0].line, last.heard[0].body) == ("GET / HTTP/1.1", b"")


@pytest.mark.requirement("43")
async def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as proxy, listening() as listener:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.origin)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with Outbound(allow=[listener.entry]) as outbound:
            assert (await outbound.fetch("GET", listener.origin)).body == b"ok"
            assert (proxy.connections, listener.connections) == (0, 1)
