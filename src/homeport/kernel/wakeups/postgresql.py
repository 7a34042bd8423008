"""Carries wake-ups by LISTEN and NOTIFY of the database that every node has anyway."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from homeport.kernel.db import Database
from homeport.kernel.errors import HomeportError
from homeport.kernel.wakeups.carrier import CarrierLost, Heard

CHANNEL = "homeport_wakeups"
NOTIFY = "SELECT pg_notify(:channel, :message)"


class PostgreSQLCarrier:
    """See `Carrier`. Listens on a connection of its own, sends on one of the pool.

    Each message is a transaction of its own, never part of one that changes something: a commit
    that notifies holds a lock that all such commits share.
    """

    name = "postgresql"
    largest = 7_999  # NOTIFY takes less than 8,000 bytes

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listen(self, heard: Heard) -> None:
        """See `Carrier.listen`."""
        over = asyncio.Event()

        def take(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            heard(str(payload).encode())

        def end(_connection: object) -> None:
            over.set()

        try:
            async with self._database.writer.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                await connection.run_sync(Connection.detach)
                driver.add_termination_listener(end)
                await driver.add_listener(CHANNEL, take)
                heard(b"")
                await over.wait()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError, OSError) as error:
            raise CarrierLost(repr(error)) from error
        raise CarrierLost("the connection was closed")

    async def send(self, message: bytes) -> None:
        """See `Carrier.send`."""
        values = {"channel": CHANNEL, "message": message.decode()}
        try:
            await self._database.write_statement(NOTIFY, values)
        except (HomeportError, SQLAlchemyError, OSError) as error:
            raise CarrierLost(repr(error)) from error

    async def close(self) -> None:
        """See `Carrier.close`; the pool is the database's."""
