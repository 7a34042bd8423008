"""Who calls, and where they work: identity and projects."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
from datetime import timedelta
from pathlib import Path

from sqlalchemy import make_url

import homeport
from homeport.eventlog import Eraser, EventLog
from homeport.identity.access import Callers
from homeport.identity.activity import Activity
from homeport.identity.first_start import FirstAdmin, first_start
from homeport.identity.guard import GuardPolicy
from homeport.identity.key_rotation import LOAD_S
from homeport.identity.opening import UPKEEP_S, IdentityOptions, open_identity
from homeport.identity.service import erase
from homeport.kernel.db import Database
from homeport.projects.erase import blank as blank_project
from homeport.projects.places import Places
from homeport.projects.policy import Limits
from homeport.readers.history.activity import SessionActivity
from homeport.readers.stream.pulse import Pulse
from homeport.readers.stream.websocket import Sockets
from homeport.settings import Settings, env_file
from homeport.wiring.house import House, every
from homeport.wiring.secret import FOLLOW_S, SecretFollower, keyring_of, secret_file

SHARED_PREFIXES = frozenset(map(Path, ("/", "/usr", "/usr/local", "/opt/homebrew", "/opt/local")))
"""Where Python is installed among other programs."""


async def identity(house: House) -> None:
    """Accounts, tokens and keys; on an empty database also the first admin."""
    settings = house.settings
    events: EventLog = house.get(EventLog)
    keyring = await asyncio.to_thread(keyring_of, settings)
    options = IdentityOptions(
        registration=settings.registration,
        access_lifetime=timedelta(minutes=settings.access_token_expire_minutes),
        signing_key_age=timedelta(days=settings.signing_key_days),
        refresh_idle=timedelta(days=settings.refresh_token_expire_days),
        refresh_absolute=timedelta(days=settings.refresh_token_absolute_days),
        password_hasher=settings.password_hasher,
        password_min_length=settings.password_min_length,
        server_names=(settings.host,),
        public_url=settings.public_url,
        page_origins=settings.cors_origins,
        origin=settings.public_url or f"http://{settings.host}:{settings.port}",
        signed_critical=settings.request_signatures == "critical",
        guessing=GuardPolicy(
            per_minute=settings.login_failures_per_minute,
            delay=timedelta(seconds=settings.login_delay),
        ),
    )
    if secret_file(settings) is not None:
        house.chore("secrets", every(FOLLOW_S, SecretFollower(settings, keyring).follow))
    opened = await open_identity(events, keyring, options)
    house.rooms.push_async_callback(opened.close)
    house.services.update(opened.services())
    house.provide(keyring)
    house.services[Activity] = SessionActivity(house.get(Database))
    house.chore("identity.signing-keys", every(LOAD_S, opened.key_rotation.tend))
    house.get(Eraser).on("account", erase.blank)
    house.chore("identity.upkeep", every(UPKEEP_S, opened.upkeep))
    first = await first_start(events)
    if first is not None:
        house.banner.extend(_first_lines(first))
    else:
        house.banner.append(("sign in", "lost the way in? {homeport} user reset admin"))
        house.banner.append(("try", "curl -s {address}/health"))
    pulse = Pulse(house.get(Callers), house.draining, per_user=settings.max_streams_per_user)
    house.provide(pulse)
    house.chore("streams.pulse", pulse.run())
    sockets = Sockets(
        per_user=settings.max_sockets_per_user,
        subscriptions=settings.max_subscriptions_per_socket,
    )
    house.provide(sockets)
    house.drains.append(sockets.ended)


async def projects(house: House) -> None:
    """Where workspaces lie, and which directories may be opened as one."""
    settings = house.settings
    await asyncio.to_thread(settings.workspace_path.mkdir, parents=True, exist_ok=True)
    house.get(Eraser).on("project", blank_project)
    house.provide(Limits(bypass=settings.allow_bypass))
    house.provide(
        Places(
            workspace_dir=settings.workspace_path.resolve(),
            roots=tuple(_resolved(root) for root in settings.workspace_roots),
            closed=servers_own(settings),
            development=settings.environment == "development",
        )
    )


def servers_own(settings: Settings) -> tuple[Path, ...]:
    """What no workspace may hold or lie in: the server's data, what it runs, what it obeys.

    An agent writes in its workspace: a file of settings that it left there would set the next
    start. So it is kept out of there also when the file is absent.
    """
    own = [settings.data_path, settings.anchor_path, Path(homeport.__file__).parent, Path("/etc")]
    own.extend(_interpreter())
    if (file := env_file()) is not None:
        own.append(file)
    database = make_url(settings.effective_database_url)
    if database.get_backend_name() == "sqlite" and database.database:
        own.append(Path(database.database).expanduser())
    return tuple(path.resolve() for path in own)


def _interpreter() -> list[Path]:
    """The program that runs the server, and all that it can import."""
    paths = sysconfig.get_paths()
    found = [Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found.append(Path(sys.executable).absolute())
    return [*found, *(Path(each) for each in (sys.prefix, sys.base_prefix) if _is_its_own(each))]


def _is_its_own(prefix: str) -> bool:
    """Whether all in an installation is Python; in /usr or /usr/local most is something else."""
    shared = {*SHARED_PREFIXES, Path.home(), Path.home() / ".local"}
    return Path(prefix).resolve() not in {each.resolve() for each in shared}


def _first_lines(first: FirstAdmin) -> list[tuple[str, str]]:
    body = '{"messages": [{"role": "user", "content": "hello"}]}'
    curl = (
        f"curl -s {{address}}/v1/chat/completions -H 'Authorization: Bearer {first.api_key}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )
    return [
        ("first admin", f"{{address}}{first.link_path}  (sets the password; once, 10 minutes)"),
        ("api key", f"{first.api_key}  (of {first.username}; 24 hours)"),
        ("try", curl),
    ]


def _resolved(root: str) -> Path:
    return Path(root).expanduser().resolve()
