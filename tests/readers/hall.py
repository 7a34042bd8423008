"""The session's stream behind a real socket, with callers whose credentials a test may revoke."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware

from homeport.cli.server import BoundedHTTP
from homeport.cli.websocket import BoundedWebSocket
from homeport.dispatch import Claim
from homeport.dispatch.dispatcher import Dispatcher
from homeport.eventlog import EventLog
from homeport.identity.access import Caller, Callers
from homeport.identity.errors import CredentialRefused
from homeport.identity.roles import API_READ, API_WRITE
from homeport.kernel.errors import Unavailable
from homeport.kernel.http.draining import Draining
from homeport.kernel.http.errors import install_error_handlers
from homeport.kernel.http.middleware import Edge
from homeport.kernel.http.provide import Services
from homeport.kernel.http.routes import routes_of
from homeport.kernel.ids import new_id
from homeport.readers.stream.pulse import Pulse
from homeport.readers.stream.router import router
from homeport.readers.stream.websocket import Sockets
from homeport.readers.stream.websocket import router as websockets
from homeport.sessions.access import stream_of
from homeport.sessions.service.start import start
from homeport.tools.registry import Registry
from support.sse import Heard, dechunked, parse

MOST_SOCKETS = 60
LARGEST_MESSAGE = 65_536


@dataclass
class Guests(Callers):
    """Everybody is who they say they are, until they are refused."""

    refused: set[str] = field(default_factory=set[str])
    silent: bool = False

    async def identify(self, credential: str, *, keys_only: bool) -> Caller:
        caller = Caller(
            user_id=credential,
            username=credential,
            roles=frozenset({"user"}),
            permissions=frozenset({API_READ, API_WRITE}),
        )
        if not await self.still_valid(caller):
            raise CredentialRefused
        return caller

    async def still_valid(self, caller: Caller) -> bool:
        if self.silent:
            raise Unavailable
        return caller.user_id not in self.refused


@dataclass
class Hall:
    """A session, and everything through which it is read."""

    log: EventLog
    pulse: Pulse
    draining: Draining
    guests: Guests
    sockets: Sockets
    http: aiohttp.ClientSession
    address: str
    session_id: str
    owner: str

    @property
    def stream(self) -> str:
        return stream_of(self.session_id)

    def path(self, rest: str) -> str:
        return f"/v1/sessions/{self.session_id}/{rest}"

    @property
    def headers(self) -> dict[str, str]:
        """The owner's credential."""
        return {"Authorization": f"Bearer {self.owner}"}

    async def begin(self) -> str:
        """Another session of the owner's; its id."""
        session_id = new_id()
        await _begin(self.log, session_id, self.owner)
        return session_id

    async def settled(self, lines: int) -> None:
        """Waits until so many lines are open."""
        while len(self.pulse) != lines:
            await asyncio.sleep(0.005)


@asynccontextmanager
async def open_hall(log: EventLog) -> AsyncGenerator[Hall]:
    """A new session on `log`, served in this loop."""
    guests, draining = Guests(), Draining()
    pulse, sockets = Pulse(guests, draining), Sockets(per_user=MOST_SOCKETS, subscriptions=3)
    dispatcher = Dispatcher(log.database, node="n1:a", ttl=12.0, per_user=10, drive=_nobody)
    app = FastAPI(middleware=[Middleware(Edge)], routes=routes_of((router, websockets)))
    app.state.services = Services(
        {
            EventLog: log,
            Pulse: pulse,
            Callers: guests,
            Sockets: sockets,
            Dispatcher: dispatcher,
            Registry: Registry([]),
        }
    )
    install_error_handlers(app)
    owner, session_id = new_id(), new_id()
    await _begin(log, session_id, owner)
    beating = asyncio.create_task(pulse.run())
    headers = {"Authorization": f"Bearer {owner}"}
    async with (
        served_here(app) as address,
        aiohttp.ClientSession(address, headers=headers, read_bufsize=2**20) as http,
    ):
        yield Hall(log, pulse, draining, guests, sockets, http, address, session_id, owner)
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)


async def _begin(log: EventLog, session_id: str, owner: str) -> None:
    async with log.unit(stream_of(session_id)) as unit:
        await start(
            unit,
            session_id=session_id,
            user_id=owner,
            project_id=new_id(),
            name="Test",
            model="demo",
            permission_mode="default",
        )


async def _nobody(claim: Claim) -> None:
    raise AssertionError(f"nothing is claimed here, and {claim.run_id} was")


class SlowClient:
    """Takes what it is told to take, by hand."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._got: list[bytes] = []

    @property
    def tail(self) -> bytes:
        """The last that came."""
        return b"".join(self._got[-3:])

    async def take(self, most: int = 65_536) -> bool:
        """Takes a little; False at the end."""
        some = await asyncio.get_running_loop().sock_recv(self._socket, most)
        self._got.append(some)
        return bool(some)

    def body(self) -> bytes:
        """What came after the headers."""
        return b"".join(self._got).partition(b"\r\n\r\n")[2]

    def heard(self) -> list[Heard]:
        """The events of the stream that came whole."""
        return [parse(block) for block in dechunked(self.body()).split(b"\n\n")[:-1]]


@asynccontextmanager
async def slow_client(
    hall: Hall, path: str, *, until: bytes = b"stream.heartbeat"
) -> AsyncGenerator[SlowClient]:
    """A client that has been answered, and that reads no more than it is told to."""
    loop, port = asyncio.get_running_loop(), urlsplit(hall.address).port
    request = f"GET {hall.path(path)} HTTP/1.1\r\nHost: h\r\nX-API-Key: {hall.owner}\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, request.encode())
        client = SlowClient(connection)
        while until not in client.tail:
            assert await client.take()
        yield client


@asynccontextmanager
async def served_here(app: FastAPI) -> AsyncGenerator[str]:
    """The base URL of `app`, served in the test's own loop: its log is the test's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Little, so that a client that does not read is noticed soon.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        config = uvicorn.Config(
            app,
            http=BoundedHTTP,
            ws=BoundedWebSocket,
            ws_max_size=LARGEST_MESSAGE,
            log_config=None,
            access_log=False,
            lifespan="off",
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup([listener])
        serving = asyncio.create_task(server.main_loop())
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            await serving
            await server.shutdown([listener])
