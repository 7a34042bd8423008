"""`homeport serve`: opens the house, says where it stands, serves, drains, closes."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Sequence
from functools import partial
from itertools import zip_longest

import uvicorn
from uvicorn.loops.auto import auto_loop_factory

from homeport import __version__
from homeport.app import create_app
from homeport.cli.server import BoundedHTTP, DrainingServer
from homeport.cli.websocket import BoundedWebSocket
from homeport.kernel.addresses import as_peer
from homeport.kernel.command import this_command
from homeport.kernel.errors import Unavailable
from homeport.kernel.log import configure_log
from homeport.settings import Settings
from homeport.wiring.house import House
from homeport.wiring.opening import open_house

GRACEFUL_S = 10  # for answers that are under way once everything has been told to end
KEEP_ALIVE_S = 65  # longer than the minute after which common proxies drop an idle connection
STUCK_MS = 60_000  # without a byte taken: whoever was dropped for it must not stay for ever
PING_S = 20.0  # between pings on a WebSocket
PONG_S = 60.0  # a slow client answers behind all that it has not read yet


class PortTaken(Unavailable):
    """Nobody can listen there."""

    code = "server.port-taken"
    title = "The server cannot listen on its address"


class AddressUnknown(Unavailable):
    """No interface of this machine has the address."""

    code = "server.address-unknown"
    title = "The server cannot listen on its address"


def run_server(settings: Settings) -> None:
    """Serves until a signal.

    Raises:
        HomeportError: The server cannot start; the error says why and what to do.
    """
    configure_log(settings.log_level, settings.log_format)
    listener = bind(settings.host, settings.port)
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    async with open_house(settings) as house:
        server = DrainingServer(
            _config(settings, house),
            drain=house.drain,
            started=partial(_announce, settings.host, house.banner),
        )
        await server.serve(sockets=[listener])


def _config(settings: Settings, house: House) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings, house=house),
        http=BoundedHTTP,
        ws=BoundedWebSocket,
        ws_max_size=settings.max_request_size,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PONG_S,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[form for each in settings.trusted_proxies for form in as_peer(each)],
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_S,
        reset_contextvars=True,
    )


def bind(host: str, port: int) -> socket.socket:
    """Takes the address before anything slow is done, so that a taken port is told at once.

    Raises:
        AddressUnknown: HOST is no address of this machine.
        PortTaken: Nobody can listen there.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":  # RFC 5482; connections inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_MS)
        listener.bind(address)
    except (OSError, UnicodeError) as error:
        if not isinstance(error, OSError) or _is_of_address(error):
            detail = f"{host} is no address of this machine ({error}). Set HOST."
            raise AddressUnknown(detail) from error
        message = f"{host}:{port}: {error.strerror or error}. Set HOST or PORT."
        raise PortTaken(message) from error
    return listener


def _is_of_address(error: OSError) -> bool:
    return isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL


def _announce(host: str, banner: Sequence[tuple[str, str]], port: int) -> None:
    """Says on stdout what there is; never in the log, for a line may hold a first key."""
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    lines = [("address", address), *banner]
    width = max(len(label) for label, _ in lines)
    print(f"\nHomeport {__version__}\n")
    for label, text in lines:
        told = text.replace("{address}", address).replace("{homeport}", this_command())
        for name, line in zip_longest((label,), told.splitlines(), fillvalue=""):
            print(f"  {name:<{width}}  {line}")
    print(flush=True)
