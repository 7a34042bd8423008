"""What signing in costs everybody else, and what its time tells about names.

    .venv/bin/python bench/sign_in.py [--seconds 10] [--guesses 200]

The server runs in this process on SQLite, with the hashes that it has by default; a coroutine in
its loop sleeps for a millisecond at a time and notes by how much it overslept: first with nobody
there, then while six people in another process sign in again and again. Then that process sends
wrong passwords for a name that exists and one that does not, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware

from homeport import migrations
from homeport.eventlog import EventLog
from homeport.identity.guard import GuardPolicy
from homeport.identity.opening import Identity, IdentityOptions, open_identity
from homeport.identity.router.auth import router
from homeport.identity.service.accounts import account_stream, create_account
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import Database
from homeport.kernel.http.errors import install_error_handlers
from homeport.kernel.http.middleware import Edge
from homeport.kernel.http.provide import Services
from homeport.kernel.ids import new_id
from homeport.kernel.log import configure_log

PEOPLE = 6
PASSWORD = "crimson-otter-plays-9-flutes"
NEVER_LOCKED = GuardPolicy(failures=10**9, delay_from=10**9, delay=timedelta(), per_minute=0)


async def main(seconds: float, guesses: int) -> None:
    """Measures and prints."""
    configure_log("ERROR", "json")
    with tempfile.TemporaryDirectory(prefix="homeport-bench-") as folder:
        database = Database(f"sqlite:///{Path(folder) / 'bench.db'}")
        await migrations.upgrade(database)
        log = EventLog(database)
        options = IdentityOptions(guessing=NEVER_LOCKED)
        identity = await open_identity(log, KeyRing(b"k" * 32), options)
        try:
            await _add_people(log, identity)
            async with _served(log, identity) as address:
                _tell_lag("nobody", await _lag(asyncio.sleep(seconds)))
                _tell_lag(f"{PEOPLE} sign in", await _lag(_client("sign-in", address, seconds)))
                await _client("guess", address, guesses)
        finally:
            await identity.close()
            await database.close()


async def _add_people(log: EventLog, identity: Identity) -> None:
    password_hash = await identity.passwords.hash_new(PASSWORD, context=())
    for number in range(PEOPLE):
        user_id = new_id()
        async with log.unit(account_stream(user_id)) as unit:
            await create_account(
                unit,
                user_id=user_id,
                email=f"person{number}@example.org",
                username=f"person{number}",
                password_hash=password_hash,
                roles=["user"],
                how="registration",
            )


@asynccontextmanager
async def _served(log: EventLog, identity: Identity) -> AsyncGenerator[str]:
    app = FastAPI(middleware=[Middleware(Edge)])
    install_error_handlers(app)
    app.include_router(router)
    app.state.services = Services({**identity.services(), EventLog: log})
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def _lag(work: Coroutine[Any, Any, None]) -> list[float]:
    """By how many milliseconds the loop was late, again and again while `work` is done."""
    late: list[float] = []
    doing = asyncio.create_task(work)
    while not doing.done():
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        late.append((time.perf_counter() - before - 0.001) * 1_000)
    await doing
    return late


def _tell_lag(name: str, late: list[float]) -> None:
    cuts = statistics.quantiles(late, n=100)
    print(
        f"{name:<12} loop lag p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms, max {max(late):.1f} ms"
    )


async def _client(what: str, address: str, amount: float) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--client", what, address, str(amount)
    )
    if await child.wait():
        raise SystemExit("the client failed")


async def _sign_in(address: str, seconds: float) -> None:
    async with aiohttp.ClientSession(raise_for_status=True) as http:

        async def person(number: int) -> int:
            count, end = 0, time.monotonic() + seconds
            body = {"username": f"person{number}", "password": PASSWORD}
            while time.monotonic() < end:
                async with http.post(f"{address}/v1/auth/login", json=body) as answer:
                    await answer.read()
                count += 1
            return count

        counts = await asyncio.gather(*map(person, range(PEOPLE)))
    print(f"{sum(counts)} sign-ins, {sum(counts) / seconds:.1f} a second")


async def _guess(address: str, guesses: int) -> None:
    spent: dict[str, list[float]] = {"person0": [], "nobody": []}
    async with aiohttp.ClientSession() as http:
        for number in range(guesses):
            for name, times in spent.items():
                body = {"username": name, "password": f"seven-quiet-lanterns-{number}"}
                before = time.perf_counter()
                async with http.post(f"{address}/v1/auth/login", json=body) as answer:
                    await answer.read()
                times.append((time.perf_counter() - before) * 1_000)
    known, unknown = (statistics.median(times) for times in spent.values())
    told = {"known_ms": known, "unknown_ms": unknown, "ratio": unknown / known}
    print(f"medians of {guesses}: {json.dumps({name: round(ms, 3) for name, ms in told.items()})}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Loop lag and timing of sign-ins.")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--guesses", type=int, default=200)
    parser.add_argument("--client", nargs=3, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client is None:
        asyncio.run(main(given.seconds, given.guesses))
    elif given.client[0] == "sign-in":
        asyncio.run(_sign_in(given.client[1], float(given.client[2])))
    else:
        asyncio.run(_guess(given.client[1], int(given.client[2])))
