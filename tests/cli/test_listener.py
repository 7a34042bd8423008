"""The server's socket: a client that takes nothing any more does not hold its connection for ever."""

from __future__ import annotations

import select
import socket
import sys
from contextlib import suppress

import pytest

from homeport.cli import serve

PATIENCE_S = 60


@pytest.mark.requirement("F13")
@pytest.mark.skipif(sys.platform != "linux", reason="TCP_USER_TIMEOUT is Linux's")
def test_connection_when_its_client_takes_nothing_then_the_kernel_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve, "STUCK_MS", 300)
    with serve.bind("127.0.0.1", 0) as listener, socket.socket() as client:
        listener.listen()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.connect(listener.getsockname())
        with listener.accept()[0] as connection:
            connection.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    connection.send(b"x" * 65_536)
            watch = select.poll()
            watch.register(connection, select.POLLERR)
            assert watch.poll(PATIENCE_S * 1_000), "the client still holds it"
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
