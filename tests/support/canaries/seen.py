"""Every secret that is planted, sent or handed out while the tests run, by whose it is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

SHORTEST = 9
"""Bytes: what is shorter (a code of six digits) stands anywhere by chance."""
LOOKS = {
    "API key": re.compile(r"\bck_[0-9A-Za-z]{49}\b"),
    "refresh token": re.compile(r"\bhpr_[0-9a-f]{32}\.[\w-]{43}"),
    "stream ticket": re.compile(r"\bhpt_[\w-]{43}"),
    "half a sign-in": re.compile(r"\bhpm_[\w-]{43}"),
    "device code": re.compile(r"\bhpd_[\w-]{43}"),
    "invitation code": re.compile(r"\bhpi_[\w-]{43}"),
    "access token": re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),
}
"""What our credentials look like, wherever in a request or an answer they stand."""
SETTINGS = {
    "ANTHROPIC_API_KEY": "provider key",
    "SECRET_KEY": "server's secret",
    "SECRET_KEY_PREVIOUS": "server's secret",
}
ADDRESSES = {"DATABASE_URL": "database password", "REDIS_URL": "Redis password"}


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret.

    Attributes:
        kind: What it is, for people: a failure names this, and never the secret.
        value: As it is sent, or the bytes of a key.
    """

    kind: str
    value: bytes


class Seen:
    """Secrets in the order in which they were seen; each once for every place that it was seen at.

    A place is the origin of the server that gave or was given it (`http://127.0.0.1:8000`).
    """

    def __init__(self) -> None:
        self._all: list[Secret] = []
        self._at: dict[str, dict[bytes, Secret]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, place: str, kind: str, value: str | bytes) -> None:
        """Keeps a secret, unless it is too short to be told from chance."""
        raw = value.encode() if isinstance(value, str) else value
        if len(raw) >= SHORTEST and raw not in self._at[place]:
            self._at[place][raw] = Secret(kind, raw)
            self._all.append(self._at[place][raw])

    def add_looks(self, place: str, text: str) -> None:
        """Keeps whatever in `text` looks like a credential of ours."""
        for kind, look in LOOKS.items():
            for found in look.findall(text):
                self.add(place, kind, found)

    def at(self, place: str) -> list[Secret]:
        """What was seen there."""
        return list(self._at[place].values())

    def since(self, count: int) -> list[Secret]:
        """What came after the first so many."""
        return self._all[count:]


def of_settings(settings: Mapping[str, str]) -> list[Secret]:
    """The secrets among the settings of a server, by their name in the environment."""
    values = [
        Secret(kind, each.strip().encode())
        for name, kind in SETTINGS.items()
        for each in settings.get(name, "").split(",")
    ]
    for name, kind in ADDRESSES.items():
        password = urlsplit(settings.get(name, "")).password
        values.append(Secret(kind, (password or "").encode()))
    return [secret for secret in values if len(secret.value) >= SHORTEST]


SEEN = Seen()
"""Of this process."""
